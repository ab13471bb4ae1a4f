import ByteText

/// Holds how users log in with passwords.
public struct PasswordSettings: Sendable, Hashable {
  /// Holds the demands on new passwords.
  public struct Policy: Sendable, Hashable {
    /// Switches the demands on.
    public var isEnabled: Bool
    /// Gives the least number of characters.
    public var minimumLength: Int
    /// Demands a digit.
    public var requiresDigit: Bool
    /// Demands something else than letters and digits.
    public var requiresSymbol: Bool
    /// Demands a small letter.
    public var requiresLowercase: Bool
    /// Demands a capital letter.
    public var requiresUppercase: Bool
  }

  /// Allows login with a password.
  public var allowsLogin: Bool
  /// Allows confirming an action with the password.
  public var allowsReauthentication: Bool
  /// Looks passwords up in the database.
  public var usesLocalDatabase: Bool
  /// Is appended to every password before hashing.
  public var pepper: Text
  /// Holds the demands on new passwords.
  public var policy: Policy
  /// Gives bcrypt's cost, the logarithm of its rounds.
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
