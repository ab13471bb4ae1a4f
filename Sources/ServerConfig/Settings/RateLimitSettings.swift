import ByteText

/// A limit on how often something may happen: a bucket that holds `burstCount` and loses `perSecond` every second.
public struct RateLimit: Sendable, Hashable {
  /// The sustained rate.
  public var perSecond: Double
  /// The number that may come at once.
  public var burstCount: Int

  /// Makes a limit.
  public init(perSecond: Double, burstCount: Int) {
    self.perSecond = perSecond
    self.burstCount = burstCount
  }
}

/// The limits of the `rc_…` settings with Synapse's standard values.
public struct RateLimitSettings: Sendable, Hashable {
  /// The limit on events sent by a user.
  public var message: RateLimit
  /// The limit on registrations from an address.
  public var registration: RateLimit
  /// The limit on checks of registration tokens from an address.
  public var registrationTokenValidity: RateLimit
  /// The limit on logins from an address.
  public var loginAddress: RateLimit
  /// The limit on logins to an account.
  public var loginAccount: RateLimit
  /// The limit on failed logins to an account.
  public var loginFailedAttempts: RateLimit
  /// The limit on redactions by administrators; nil means that they count as messages.
  public var adminRedaction: RateLimit?
  /// The limit on joins to rooms in which the server already is.
  public var joinsLocal: RateLimit
  /// The limit on joins to a room.
  public var joinsPerRoom: RateLimit
  /// The limit on queries and claims of device keys.
  public var keyRequests: RateLimit
  /// The limit on validation of e-mail addresses and numbers.
  public var threepidValidation: RateLimit
  /// The limit on invitations into a room.
  public var invitesPerRoom: RateLimit
  /// The limit on invitations of a user.
  public var invitesPerUser: RateLimit
  /// The limit on invitations by a user.
  public var invitesPerIssuer: RateLimit
  /// The limit on invitations by e-mail address.
  public var thirdPartyInvite: RateLimit
  /// The limit on reservations of media identifiers.
  public var mediaCreate: RateLimit
  /// The limit on presence updates of a user.
  public var presencePerUser: RateLimit
  /// The limit on changes to delayed events.
  public var delayedEventManagement: RateLimit
  /// The limit on new rooms of a user.
  public var roomCreation: RateLimit
  /// The limit on reports of content.
  public var reports: RateLimit
  /// The limit on searches of the user directory.
  public var userDirectory: RateLimit
  /// The limit on changes to a user's profile.
  public var profile: RateLimit

  init(_ root: SettingsSection) throws(ConfigError) {
    let legacyRate = try root.number("rc_messages_per_second", 0.2)
    let legacyBurst = try Self.burst(root, "rc_message_burst_count", 10)
    message =
      root.has("rc_message")
      ? try Self.read(root, "rc_message", 0.2, 10) : RateLimit(perSecond: legacyRate, burstCount: legacyBurst)
    registration = try Self.read(root, "rc_registration", 0.17, 3)
    registrationTokenValidity = try Self.read(root, "rc_registration_token_validity", 0.1, 5)
    let login = try root.section("rc_login")
    loginAddress = try Self.read(login, "address", 0.003, 5)
    loginAccount = try Self.read(login, "account", 0.003, 5)
    loginFailedAttempts = try Self.read(login, "failed_attempts", 0.17, 3)
    adminRedaction = root.has("rc_admin_redaction") ? try Self.read(root, "rc_admin_redaction", 0.17, 3) : nil
    let joins = try root.section("rc_joins")
    joinsLocal = try Self.read(joins, "local", 0.1, 10)
    joinsPerRoom = try Self.read(root, "rc_joins_per_room", 1, 10)
    keyRequests = try Self.read(root, "rc_key_requests", 20, 100)
    threepidValidation = try Self.read(root, "rc_3pid_validation", 0.003, 5)
    let invites = try root.section("rc_invites")
    invitesPerRoom = try Self.read(invites, "per_room", 0.3, 10)
    invitesPerUser = try Self.read(invites, "per_user", 0.003, 5)
    invitesPerIssuer = try Self.read(invites, "per_issuer", 0.3, 10)
    thirdPartyInvite = try Self.read(root, "rc_third_party_invite", 0.0025, 5)
    mediaCreate = try Self.read(root, "rc_media_create", 10, 50)
    presencePerUser = try Self.read(try root.section("rc_presence"), "per_user", 0.1, 1)
    delayedEventManagement = try Self.read(root, "rc_delayed_event_mgmt", 1, 5)
    roomCreation = try Self.read(root, "rc_room_creation", 0.016, 10)
    reports = try Self.read(root, "rc_reports", 1, 5)
    userDirectory = try Self.read(root, "rc_user_directory", 0.016, 200)
    profile = try Self.read(root, "rc_profile", 1, 500)
  }

  private static func read(
    _ section: SettingsSection, _ key: Text, _ perSecond: Double, _ burstCount: Int
  ) throws(ConfigError) -> RateLimit {
    let limit = try section.section(key)
    return RateLimit(
      perSecond: try limit.number("per_second", perSecond), burstCount: try burst(limit, "burst_count", burstCount))
  }

  /// Reads a burst; fractions are cut off, as Synapse does.
  private static func burst(_ section: SettingsSection, _ key: Text, _ standard: Int) throws(ConfigError) -> Int {
    let value = try section.number(key, Double(standard))
    guard let whole = Int(exactly: value.rounded(.towardZero)) else {
      throw section.fail(key, "found \(value), expected a number below 2^63")
    }
    return whole
  }
}
