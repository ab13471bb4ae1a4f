import ByteText

/// The address of Redis and the login; there are no such settings when Redis is switched off.
public struct RedisSettings: Sendable, Hashable {
  /// The host.
  public var host: Text
  /// The TCP port.
  public var port: Int
  /// The unix socket, which has precedence over host and port.
  public var path: Text?
  /// The user of Redis' access control.
  public var username: Text?
  /// The password.
  public var password: Text?
  /// The logical database.
  public var databaseIndex: Int?
  /// Whether TLS is demanded.
  public var usesTLS: Bool
  /// The file of the client's certificate.
  public var certificateFile: Text?
  /// The file of the client's private key.
  public var privateKeyFile: Text?
  /// The file of certificate authorities to trust.
  public var caFile: Text?
  /// The folder of certificate authorities to trust.
  public var caPath: Text?

  /// Makes settings by hand.
  public init(host: Text = "localhost", port: Int = 6379, path: Text? = nil, password: Text? = nil) {
    self.host = host
    self.port = port
    self.path = path
    self.password = password
    usesTLS = false
  }

  static func read(_ root: SettingsSection) throws(ConfigError) -> RedisSettings? {
    let section = try root.section("redis")
    let settings = try RedisSettings(section)
    return try section.bool("enabled", false) ? settings : nil
  }

  private init(_ section: SettingsSection) throws(ConfigError) {
    host = try section.string("host") ?? "localhost"
    port = try section.integer("port", 6379, in: 1...65535)
    path = try section.string("path")
    username = try section.text("username")
    password = try section.secret("password", path: "password_path")
    if username != nil && password == nil {
      throw section.fail("username", "found without a password, expected redis.password or redis.password_path as well")
    }
    databaseIndex = nil
    if let text = try section.text("dbid") {
      guard let index = Int(text), index >= 0 else {
        throw section.fail("dbid", "found \"\(text)\", expected the number of a database")
      }
      databaseIndex = index
    }
    usesTLS = try section.bool("use_tls", false)
    certificateFile = try section.string("certificate_file")
    privateKeyFile = try section.string("private_key_file")
    caFile = try section.string("ca_file")
    caPath = try section.string("ca_path")
  }
}
