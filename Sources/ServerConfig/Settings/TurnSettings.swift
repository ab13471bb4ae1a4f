import ByteText

/// What clients get about TURN servers for calls.
public struct TurnSettings: Sendable, Hashable {
  /// The servers' addresses.
  public var uris: [Text]
  /// Keys the time-limited credentials that are made for a user.
  public var sharedSecret: Text?
  /// The user name of the fixed credentials, used instead.
  public var username: Text?
  /// The password of the fixed credentials.
  public var password: Text?
  /// The lifetime of the credentials, in milliseconds.
  public var lifetimeMilliseconds: Int64
  /// Whether guests get them as well.
  public var allowsGuests: Bool

  init(_ root: SettingsSection) throws(ConfigError) {
    uris = try root.stringOrStrings("turn_uris") ?? []
    sharedSecret = try root.secret("turn_shared_secret", path: "turn_shared_secret_path")
    username = try root.text("turn_username")
    password = try root.text("turn_password")
    lifetimeMilliseconds = try root.milliseconds("turn_user_lifetime", 3_600_000)
    allowsGuests = try root.bool("turn_allow_guests", true)
  }
}
