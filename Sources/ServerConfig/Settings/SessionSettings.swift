import ByteText

/// The lifetimes of logins. Nil means without end; all times are milliseconds.
public struct SessionSettings: Sendable, Hashable {
  /// The limit on a session from its login on.
  public var lifetimeMilliseconds: Int64?
  /// The limit on an access token that came with a refresh token.
  public var refreshableAccessTokenMilliseconds: Int64?
  /// The limit on an access token that came without one.
  public var nonrefreshableAccessTokenMilliseconds: Int64?
  /// The limit on a refresh token that is not used.
  public var refreshTokenMilliseconds: Int64?
  /// The time after its last use at which a device is removed; nil never.
  public var staleDeviceMilliseconds: Int64?
  /// The users of whose new devices nobody is informed until these have keys.
  public var usersWithQuietDevices: Set<Text>
  /// The time for which a completed interactive authentication is valid; 0 means for one request.
  public var uiAuthMilliseconds: Int64
  /// Whether a logged-in client may make a login token for another device.
  public var allowsLoginTokens: Bool
  /// Whether making a login token demands interactive authentication.
  public var loginTokensRequireUIAuth: Bool
  /// The limit on a login token.
  public var loginTokenMilliseconds: Int64

  init(_ root: SettingsSection) throws(ConfigError) {
    lifetimeMilliseconds = try Self.duration(root, "session_lifetime")
    refreshableAccessTokenMilliseconds =
      root.has("refreshable_access_token_lifetime")
      ? try Self.duration(root, "refreshable_access_token_lifetime") : 300_000
    nonrefreshableAccessTokenMilliseconds = try Self.duration(root, "nonrefreshable_access_token_lifetime")
    refreshTokenMilliseconds = try Self.duration(root, "refresh_token_lifetime")
    let bounded: [(Text, Int64?)] = [
      (
        "refreshable_access_token_lifetime",
        root.has("refreshable_access_token_lifetime") ? refreshableAccessTokenMilliseconds : nil
      ),
      ("nonrefreshable_access_token_lifetime", nonrefreshableAccessTokenMilliseconds),
      ("refresh_token_lifetime", refreshTokenMilliseconds),
    ]
    for (key, value) in bounded {
      if let value, let lifetimeMilliseconds, value > lifetimeMilliseconds {
        throw root.fail(key, "found more than session_lifetime, expected at most that")
      }
    }
    staleDeviceMilliseconds = try root.milliseconds("delete_stale_devices_after")
    usersWithQuietDevices = Set(try root.strings("dont_notify_new_devices_for"))
    let uiAuth = try root.section("ui_auth")
    uiAuthMilliseconds = try uiAuth.milliseconds("session_timeout", 0)
    let existing = try root.section("login_via_existing_session")
    allowsLoginTokens = try existing.bool("enabled", false)
    loginTokensRequireUIAuth = try existing.bool("require_ui_auth", true)
    loginTokenMilliseconds = try existing.milliseconds("token_timeout", 300_000)
  }

  /// Reads a lifetime; the documentation writes "infinity" for the standard.
  private static func duration(_ root: SettingsSection, _ key: Text) throws(ConfigError) -> Int64? {
    root.node(key)?.string == "infinity" ? nil : try root.milliseconds(key)
  }
}
