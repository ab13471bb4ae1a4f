import ByteText

/// Holds what clients are told about TURN servers for calls.
public struct TurnSettings: Sendable, Hashable {
  /// Lists the servers' addresses.
  public var uris: [Text]
  /// Keys the time-limited credentials that are made for a user.
  public var sharedSecret: Text?
  /// Gives fixed credentials instead.
  public var username: Text?
  /// Gives the password of the fixed credentials.
  public var password: Text?
  /// Bounds the credentials, in milliseconds.
  public var lifetimeMilliseconds: Int64
  /// Gives them to guests as well.
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
