import ByteText

/// The rules of passwords and of login with them.
public struct PasswordSettings: Sendable, Hashable {
  /// The demands on new passwords.
  public struct Policy: Sendable, Hashable {
    /// Whether the demands are on.
    public var isEnabled: Bool
    /// The least number of characters.
    public var minimumLength: Int
    /// Whether a digit is demanded.
    public var requiresDigit: Bool
    /// Whether something else than letters and digits is demanded.
    public var requiresSymbol: Bool
    /// Whether a small letter is demanded.
    public var requiresLowercase: Bool
    /// Whether a capital letter is demanded.
    public var requiresUppercase: Bool
  }

  /// Whether one can log in with a password.
  public var allowsLogin: Bool
  /// Whether an action can be confirmed with the password.
  public var allowsReauthentication: Bool
  /// Whether passwords are looked up in the database.
  public var usesLocalDatabase: Bool
  /// The text that is appended to every password before hashing.
  public var pepper: Text
  /// The demands on new passwords.
  public var policy: Policy
  /// The cost of bcrypt, the logarithm of its rounds.
  public var bcryptRounds: Int

  /// Reads only these settings of a file, for tools; the rest of it is not checked.
  public static func load(path: Text) throws(ConfigError) -> PasswordSettings {
    try PasswordSettings(ConfigFiles.section(paths: [path]))
  }

  init(_ root: SettingsSection) throws(ConfigError) {
    let section = try root.section("password_config")
    if section.node("enabled")?.string == "only_for_reauth" {
      allowsLogin = false
      allowsReauthentication = true
    } else {
      allowsLogin = try section.bool("enabled", true)
      allowsReauthentication = allowsLogin
    }
    usesLocalDatabase = try section.bool("localdb_enabled", true)
    pepper = try section.text("pepper") ?? ""
    let policy = try section.section("policy")
    self.policy = Policy(
      isEnabled: try policy.bool("enabled", false), minimumLength: try policy.integer("minimum_length", 0),
      requiresDigit: try policy.bool("require_digit", false), requiresSymbol: try policy.bool("require_symbol", false),
      requiresLowercase: try policy.bool("require_lowercase", false),
      requiresUppercase: try policy.bool("require_uppercase", false))
    bcryptRounds = try root.integer("bcrypt_rounds", 12, in: 4...31)
  }
}
