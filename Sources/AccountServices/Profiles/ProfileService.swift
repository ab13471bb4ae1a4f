import MatrixPrimitives
import RateLimits
import Replication
import ServerConfig
import Stores

/// Reading and changing profiles of local users.
public final class ProfileService: Sendable {
  /// A closure that writes a changed name or avatar into the user's memberships; given by the process's role, as rooms
  /// are not this layer's business.
  public typealias Propagation = @Sendable (_ user: UserID, _ profile: Profile, _ requester: Requester) async -> Void

  private let config: HomeserverConfig
  private let profiles: ProfileStore
  private let accounts: AccountStore
  private let memberships: MembershipStore
  private let limiter: RateLimiter
  private let limitChange: @Sendable (_ requester: Requester) async throws -> Void
  private let propagate: Propagation
  static let maximumDisplayNameLength = 256
  static let maximumAvatarURLLength = 1000
  static let maximumFieldNameLength = 255

  init(
    config: HomeserverConfig, profiles: ProfileStore, accounts: AccountStore, memberships: MembershipStore,
    clock: ServerClock,
    limitChange: @escaping @Sendable (_ requester: Requester) async throws -> Void, propagate: @escaping Propagation
  ) {
    self.config = config
    self.profiles = profiles
    self.accounts = accounts
    self.memberships = memberships
    self.limitChange = limitChange
    self.propagate = propagate
    limiter = RateLimiter(config.rateLimits.profile, clock: clock)
  }

  /// Reads a profile for somebody.
  ///
  /// - Parameters:
  ///   - requester: the requester; nil when nobody is logged in, which the configuration may forbid.
  ///   - address: the client's address, limited when there is no requester.
  /// - Throws: `MatrixError` 404 when there is no such profile, 403 when the requester may not see it, 401 and 429.
  public func profile(of user: UserID, for requester: Requester?, address: Text) async throws -> Profile {
    if config.profiles.requiresAuth {
      guard let requester else { throw MatrixError.missingToken() }
      guard !requester.isGuest else { throw MatrixError.guestAccessForbidden("Guest access not allowed") }
    }
    let isUnlimited = if let requester { try await accounts.isUnlimited(requester) } else { false }
    if !isUnlimited { try limiter.check(requester?.userID.rawValue ?? address) }
    guard user.serverName == config.serverName else { throw MatrixError.notFound("Profile was not found") }
    if config.profiles.limitedToSharedRooms, let requester, requester.userID != user {
      guard try await !memberships.sharedRooms(requester.userID, user).isEmpty else {
        throw MatrixError.forbidden("Profile isn't available")
      }
    }
    guard let profile = try await profiles.profile(of: user) else {
      throw MatrixError.notFound("Profile was not found")
    }
    return profile
  }

  /// Reads all fields of a profile that are set, as clients see them.
  ///
  /// - Throws: as ``profile(of:for:address:)``; 404 when none is set.
  public func fields(of user: UserID, for requester: Requester?, address: Text) async throws -> [Text: JSON] {
    let fields = Self.fields(try await profile(of: user, for: requester, address: address))
    guard !fields.isEmpty else { throw MatrixError.notFound("Profile was not found") }
    return fields
  }

  private static func fields(_ profile: Profile) -> [Text: JSON] {
    var fields = profile.fields
    if let name = profile.displayName { fields["displayname"] = .string(name) }
    if let avatar = profile.avatarURL { fields["avatar_url"] = .string(avatar) }
    return fields
  }

  /// Reads one field of a profile.
  ///
  /// - Returns: nil for a name or avatar that is not set.
  /// - Throws: as ``profile(of:for:address:)``; `MatrixError` 400 for a name that no field can have, 404 for another field that is not set.
  public func field(_ field: Text, of user: UserID, for requester: Requester?, address: Text) async throws -> JSON? {
    try Self.check(field: field)
    let value = Self.fields(try await profile(of: user, for: requester, address: address))[field]
    guard value != nil || field == "displayname" || field == "avatar_url" else {
      throw MatrixError.notFound("Field not found")
    }
    return value
  }

  /// Sets one field. The rooms of a shadow-banned user learn nothing of it.
  ///
  /// - Parameters:
  ///   - isAdministrator: an administrator may set anybody's.
  ///   - reachesRooms: whether a new name or avatar is written into the user's memberships; never for shadow-banned users.
  /// - Throws: `MatrixError` 400 for a value that cannot be and for somebody else's profile (observed), 403 for a disabled
  ///   field, 429.
  public func set(
    _ field: Text, to value: JSON?, of user: UserID, by requester: Requester, isAdministrator: Bool,
    reachesRooms: Bool = true
  ) async throws {
    try Self.check(field: field)
    if try await !accounts.isUnlimited(requester) { try limiter.check(requester.userID.rawValue) }
    guard user.serverName == config.serverName else {
      throw MatrixError.unknown("User is not hosted on this homeserver", status: 400)
    }
    guard user == requester.userID || isAdministrator else {
      let isSetCustom = value != nil && field != "displayname" && field != "avatar_url"
      throw MatrixError(.forbidden, "Cannot set another user's profile", status: isSetCustom ? 403 : 400)
    }
    guard let account = try await accounts.account(user) else { throw MatrixError.notFound("User not found") }
    if field == "displayname" || field == "avatar_url" { try await limitChange(requester) }
    switch field {
    case "displayname":
      try await setDisplayName(value, of: user, isAdministrator: isAdministrator)
    case "avatar_url":
      try await setAvatarURL(value, of: user, isAdministrator: isAdministrator)
    default:
      guard let value else { return try await profiles.deleteField(field, of: user) }
      return try await profiles.setField(field, value, of: user)
    }
    // A requester whom another process names is no more than a user ID; the account says the rest.
    let isShadowBanned = requester.isShadowBanned || (user == requester.userID && account.isShadowBanned)
    if reachesRooms, !isShadowBanned, let profile = try await profiles.profile(of: user) {
      await propagate(user, profile, requester)
    }
  }

  /// The calls by which processes of Synapse have profiles set.
  var calls: [ServedCall] {
    [
      ServedCall(SetProfileField.self) { call in
        try await self.set(
          call.field, to: call.value, of: call.userID, by: Requester(userID: call.requester),
          isAdministrator: call.isByAdministrator, reachesRooms: call.reachesRooms)
        return EmptyAnswer()
      },
      ServedCall(DeleteProfileField.self) { call in
        try await self.set(
          call.field, to: nil, of: call.userID, by: Requester(userID: call.requester),
          isAdministrator: call.isByAdministrator)
        return EmptyAnswer()
      },
    ]
  }

  /// Refuses names of fields that break the common namespaced identifier grammar.
  public static func check(field: Text) throws(MatrixError) {
    guard !field.isEmpty else { throw .invalidParam("Field name too short") }
    guard field.utf8.count <= maximumFieldNameLength else {
      throw MatrixError(.keyTooLarge, "Field name too long")
    }
    let bytes = Array(field.utf8)
    let isLetter: (UInt8) -> Bool = { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
    let others = Set("0123456789-_.".utf8)
    guard let first = bytes.first, isLetter(first), bytes.allSatisfy({ isLetter($0) || others.contains($0) }) else {
      throw .invalidParam("Field name does not follow the Common Namespaced Identifier Grammar")
    }
  }

  private func setDisplayName(_ value: JSON?, of user: UserID, isAdministrator: Bool) async throws {
    if !config.registration.allowsDisplayNameChange, !isAdministrator,
      try await profiles.profile(of: user)?.displayName?.isEmpty == false
    {
      throw MatrixError.forbidden("Changing display name is disabled on this server")
    }
    let name = try Self.text(value, "displayname")
    if let name, name.unicodeScalars.count > Self.maximumDisplayNameLength {
      throw MatrixError.unknown("Displayname is too long (max \(Self.maximumDisplayNameLength))", status: 400)
    }
    try await profiles.setDisplayName(name.map(Self.stripped), of: user)
  }

  private func setAvatarURL(_ value: JSON?, of user: UserID, isAdministrator: Bool) async throws {
    if !config.registration.allowsAvatarChange, !isAdministrator,
      try await profiles.profile(of: user)?.avatarURL?.isEmpty == false
    {
      throw MatrixError.forbidden("Changing avatar is disabled on this server")
    }
    let url = try Self.text(value, "avatar_url")
    if let url, url.unicodeScalars.count > Self.maximumAvatarURLLength {
      throw MatrixError.unknown("Avatar URL is too long (max \(Self.maximumAvatarURLLength))", status: 400)
    }
    if let url { try await checkFile(of: url) }
    try await profiles.setAvatarURL(url, of: user)
  }

  /// Refuses an avatar whose file the settings do not allow, or is not known to be allowed.
  private func checkFile(of url: Text) async throws {
    let (largest, types) = (config.profiles.largestAvatar, config.profiles.avatarTypes)
    guard largest != nil || types != nil else { return }
    let refusal = MatrixError.forbidden("This avatar is not allowed")
    guard let (server, media) = url.dropping(prefix: "mxc://")?.cut(at: "/"), !server.isEmpty, !media.isEmpty else {
      throw refusal
    }
    let isLocal = server == config.serverName
    guard let file = try await profiles.avatarFile(media, on: server, isLocal: isLocal) else { throw refusal }
    if let largest {
      guard let size = file.size, size <= largest else { throw refusal }
    }
    if let types {
      guard let type = file.type, types.contains(type) else { throw refusal }
    }
  }

  /// Returns a name without white space round it, as it is stored.
  private static func stripped(_ name: Text) -> Text {
    let scalars = name.unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
      let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return "" }
    return Text(String(String.UnicodeScalarView(scalars[first...last])))
  }

  /// Reads a text or null; an empty text clears the field as null does.
  private static func text(_ value: JSON?, _ key: Text) throws(MatrixError) -> Text? {
    switch value {
    case nil, .null: return nil
    case .string(let text):
      guard !text.utf8.contains(0) else { throw .invalidParam("'\(key)' must not contain a null character") }
      return text.isEmpty ? nil : text
    default: throw .invalidParam("'\(key)' must be a string")
    }
  }
}
