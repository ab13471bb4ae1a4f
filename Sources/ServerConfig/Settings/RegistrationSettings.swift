import MatrixPrimitives

/// The rules about who may create an account, and what happens to a new one.
public struct RegistrationSettings: Sendable, Hashable {
  /// Whether everybody may register.
  public var isEnabled: Bool
  /// Whether registering demands a token.
  public var requiresToken: Bool
  /// The secret that authorises `register_new_matrix_user`.
  public var sharedSecret: Text?
  /// Whether clients may use the server without an account.
  public var allowsGuests: Bool
  /// Whether the availability check hides that a name is taken.
  public var hidesUserInUse: Bool
  /// Whether names may begin with an underscore.
  public var allowsUnderscorePrefix: Bool
  /// Whether users may change their display name.
  public var allowsDisplayNameChange: Bool
  /// Whether users may change their avatar.
  public var allowsAvatarChange: Bool
  /// The aliases of rooms that new users join.
  public var autoJoinRooms: [RoomAlias]
  /// Whether those rooms are created when they do not exist.
  public var createsAutoJoinRooms: Bool
  /// Whether created rooms are open to users of other servers.
  public var autoJoinRoomsFederate: Bool
  /// The preset of created rooms: `public_chat`, `private_chat` or `trusted_private_chat`.
  public var autoJoinRoomPreset: Text
  /// The user who creates those rooms and invites into them; nil means the first user.
  public var autoJoinUserID: UserID?
  /// Whether guests join as well.
  public var autoJoinsGuests: Bool

  init(_ root: SettingsSection, serverName: Text, role: HomeserverConfig.Role) throws(ConfigError) {
    let enabled = try root.looseBool("enable_registration", false)
    isEnabled = root.has("disable_registration") ? try !root.looseBool("disable_registration", true) : enabled
    let withoutVerification = try root.looseBool("enable_registration_without_verification", false)
    requiresToken = try root.bool("registration_requires_token", false)
    sharedSecret = try root.secret("registration_shared_secret", path: "registration_shared_secret_path")
    let hasCaptcha = try root.bool("enable_registration_captcha", false)
    let hasAddresses = try !root.strings("registrations_require_3pid").isEmpty
    if role == .homeserver && isEnabled && !withoutVerification && !requiresToken && !hasCaptcha && !hasAddresses {
      throw root.fail(
        "enable_registration",
        "found open registration without any verification, which invites spam; "
          + "expected registration_requires_token: true, enable_registration_captcha: true, registrations_require_3pid, "
          + "or enable_registration_without_verification: true if that is what you want")
    }
    allowsGuests = try root.bool("allow_guest_access", false)
    hidesUserInUse = try root.bool("inhibit_user_in_use_error", false)
    let underscore = try root.bool("allow_underscore_prefixed_localpart", false)
    allowsUnderscorePrefix = try root.bool("allow_underscore_prefixed_registration", underscore)
    allowsDisplayNameChange = try root.bool("enable_set_displayname", true)
    allowsAvatarChange = try root.bool("enable_set_avatar_url", true)
    autoJoinRooms = []
    for (index, node) in try root.list("auto_join_rooms").enumerated() {
      guard let alias = node.string.flatMap(RoomAlias.init) else {
        throw root.fail("auto_join_rooms[\(index)]", node, expected: "a room alias such as #room:\(serverName)")
      }
      autoJoinRooms.append(alias)
    }
    createsAutoJoinRooms = try root.bool("autocreate_auto_join_rooms", true)
    autoJoinRoomsFederate = try root.bool("autocreate_auto_join_rooms_federated", true)
    autoJoinRoomPreset = try root.choice(
      "autocreate_auto_join_room_preset", ["public_chat", "private_chat", "trusted_private_chat"], "public_chat")
    autoJoinUserID = nil
    if let localpart = try root.string("auto_join_mxid_localpart"), !localpart.isEmpty {
      guard let userID = UserID("@\(localpart):\(serverName)") else {
        throw root.fail("auto_join_mxid_localpart", "found \"\(localpart)\", expected the localpart of a user")
      }
      autoJoinUserID = userID
    }
    if createsAutoJoinRooms && autoJoinRoomPreset != "public_chat" && autoJoinUserID == nil {
      throw root.fail(
        "autocreate_auto_join_room_preset",
        "found \"\(autoJoinRoomPreset)\" without auto_join_mxid_localpart, expected the user who sends the invitations")
    }
    autoJoinsGuests = try root.bool("auto_join_rooms_for_guests", true)
  }
}
