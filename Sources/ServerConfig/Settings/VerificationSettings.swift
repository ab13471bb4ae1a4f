import MatrixPrimitives

/// The captcha of registration.
public struct CaptchaSettings: Sendable, Hashable {
  /// Whether registration asks for it.
  public var isRequired: Bool
  /// The key that clients show the captcha with.
  public var publicKey: Text?
  /// The key that answers are checked with.
  public var privateKey: Text?
  /// The address that checks answers.
  public var verifier: Text

  init(_ root: SettingsSection) throws(ConfigError) {
    isRequired = try root.bool("enable_registration_captcha", false)
    publicKey = try root.secret("recaptcha_public_key", path: "recaptcha_public_key_path")
    privateKey = try root.secret("recaptcha_private_key", path: "recaptcha_private_key_path")
    verifier = try root.string("recaptcha_siteverify_api") ?? "https://www.recaptcha.net/recaptcha/api/siteverify"
  }
}

/// The policy that users agree to.
public struct ConsentSettings: Sendable, Hashable {
  /// The version of the policy; nil when there is none.
  public var version: Text?
  /// The folder with the pages of the policy, one below for each language.
  public var templateFolder: Text
  /// What the policy is called.
  public var policyName: Text
  /// Whether registration asks for agreement.
  public var isRequiredAtRegistration: Bool

  init(_ root: SettingsSection) throws(ConfigError) {
    let section = try root.section("user_consent")
    version = try section.text("version")
    templateFolder = try section.string("template_dir") ?? ""
    policyName = try section.string("policy_name") ?? "Privacy Policy"
    isRequiredAtRegistration = try section.bool("require_at_registration", false)
    section.accept("block_events_error", "send_server_notice_to_guests", "server_notice_content")
    if !section.mapping.isEmpty, version == nil {
      throw section.fail("version", "is missing, expected the version of the policy")
    }
    if version != nil, templateFolder.isEmpty {
      throw section.fail("template_dir", "is missing, expected the folder of the policy's pages")
    }
  }
}

/// Logins by a token that another service of the administrator's has signed.
public struct JWTSettings: Sendable, Hashable {
  /// The key that checks signatures: a shared secret, or a public key as PEM.
  public var secret: Text
  /// The algorithm, such as `HS256`.
  public var algorithm: Text
  /// The claim that holds the localpart.
  public var subjectClaim: Text
  /// The claim that holds the name of a new user.
  public var displayNameClaim: Text?
  /// The issuer that tokens must name.
  public var issuer: Text?
  /// The audiences of which tokens must name one.
  public var audiences: [Text]?

  /// The algorithms that are there.
  static let algorithms = ["HS256", "HS384", "HS512", "ES256", "ES384", "ES512", "EdDSA"]

  /// Reads `jwt_config`; nil when the login is off.
  static func read(_ root: SettingsSection) throws(ConfigError) -> JWTSettings? {
    let section = try root.section("jwt_config")
    let settings = JWTSettings(
      secret: try section.text("secret") ?? "", algorithm: try section.string("algorithm") ?? "",
      subjectClaim: try section.string("subject_claim") ?? "sub",
      displayNameClaim: try section.string("display_name_claim"), issuer: try section.string("issuer"),
      audiences: try section.stringOrStrings("audiences"))
    guard try section.bool("enabled", false) else { return nil }
    guard !settings.secret.isEmpty else { throw section.fail("secret", "is missing, expected the key of signatures") }
    guard algorithms.contains(settings.algorithm) else {
      throw section.fail(
        "algorithm", "found \"\(settings.algorithm)\", expected one of \(algorithms.joined(separator: ", "))")
    }
    return settings
  }
}
