import FoundationEssentials
import Glibc
import MatrixPrimitives

/// The writer of new configurations: what `--generate-config`, `--generate-keys` and `generate_config` do.
public struct ConfigGenerator: Sendable {
  /// The server that the configuration is for.
  public var serverName: Text
  /// The folder of the keys and the log configuration, as an absolute path.
  public var configFolder: Text
  /// The folder of the pid file and other data, as an absolute path.
  public var dataFolder: Text
  /// Whether `report_stats` is on; nil leaves the key out.
  public var reportsStats: Bool?
  /// Whether new secrets are written into the file; without it they are left out.
  public var makesSecrets = true
  /// Whether listeners use all addresses instead of the loopback ones.
  public var opensPrivatePorts = false
  /// Whether there is a metrics listener on port 19090.
  public var enablesMetrics = false

  /// Makes a generator; folders are made absolute.
  public init(serverName: Text, configFolder: Text, dataFolder: Text) {
    self.serverName = serverName
    self.configFolder = Self.absolute(configFolder)
    self.dataFolder = Self.absolute(dataFolder)
  }

  /// Renders the main configuration file.
  ///
  /// - Throws: `ConfigError` when the server's name is not valid.
  public func render() throws(ConfigError) -> Text {
    guard let name = ServerName(serverName) else {
      throw ConfigError("--server-name", found: "\"\(serverName)\"", expected: "a host name, with or without a port")
    }
    // A server name with a port means TLS elsewhere; the plain port is by custom 400 below.
    let port = name.port.map { $0 - 400 }.flatMap { $0 > 0 ? $0 : nil } ?? 8008
    let bind = opensPrivatePorts ? "" : "    bind_addresses: ['::1', '127.0.0.1']\n"
    var text = """
      # Configuration of a Matrix homeserver, in the form of Synapse's homeserver.yaml.
      # Indentation is part of the format. Configs/homeserver.yaml explains more settings.
      server_name: \(Self.quoted(serverName))
      pid_file: \(Self.quoted(dataFolder + "/homeserver.pid"))
      listeners:
        - port: \(port)
          tls: false
          type: http
          x_forwarded: true
      \(bind)    resources:
            - names: [client, federation]
              compress: false

      """
    if enablesMetrics {
      text += "  - port: 19090\n    tls: false\n    type: metrics\n" + bind + "enable_metrics: true\n"
    }
    text += """
      # PostgreSQL is the only database. Create it with
      #   createdb --encoding=UTF8 --locale=C --template=template0 --owner=synapse synapse
      database:
        name: psycopg2
        args:
          user: synapse
          password: change-me
          dbname: synapse
          host: localhost
          cp_min: 5
          cp_max: 10
      log_config: \(Self.quoted("\(configFolder)/\(serverName).log.config"))

      """
    if makesSecrets {
      for key in ["registration_shared_secret", "macaroon_secret_key", "form_secret"] {
        text += "\(key): \(Self.quoted(RandomString.alphanumeric(50)))\n"
      }
    }
    if let reportsStats { text += "report_stats: \(reportsStats)\n" }
    return text + "signing_key_path: \(Self.quoted("\(configFolder)/\(serverName).signing.key"))\n"
  }

  /// Writes the main configuration file and everything that it refers to, for `--generate-config`.
  ///
  /// An existing main file is left as it is; only what it refers to and does not exist is written.
  ///
  /// - Returns: lines for the administrator about what has been written.
  public func writeAll(to path: Text) throws(ConfigError) -> [Text] {
    guard !FileManager.default.fileExists(atPath: path.string) else {
      return ["The file \(path) exists already and is left as it is."]
        + (try Self.writeMissingFiles(paths: [path], configFolder: configFolder))
    }
    let text = try render()
    try Self.makeFolder(configFolder)
    try Self.makeFolder(dataFolder)
    try FileText.write(text, to: path, mode: 0o640)
    return ["Wrote \(path) for the server \(serverName). Set the database's password in it before the first start."]
      + (try Self.writeMissingFiles(paths: [path], configFolder: configFolder))
  }

  /// Writes the signing key, the log configuration and the secret files that a configuration refers to and that do not
  /// exist, for
  /// `--generate-keys` and before every start.
  ///
  /// - Parameters:
  ///   - paths: values of `--config-path`.
  ///   - configFolder: where the signing key goes when no path is set; nil means the folder of the last file.
  /// - Returns: a line for every file that has been written.
  public static func writeMissingFiles(paths: [Text], configFolder: Text? = nil) throws(ConfigError) -> [Text] {
    var warnings: [Text] = []
    let files = try ConfigFiles.find(paths, warnings: &warnings)
    guard let last = files.last else { throw ConfigError("--config-path", "names no file, expected at least one") }
    let root = try ConfigFiles.section(paths: paths)
    let folder = configFolder ?? Text(URL(fileURLWithPath: last.string).deletingLastPathComponent().path)
    return try writeSigningKey(root, folder: folder) + writeLogConfig(root) + writeSecrets(root)
  }

  /// Renders a log configuration that writes to a file, by way of a buffer.
  public static func logConfig(file: Text) -> Text {
    """
    # Log configuration, in the form of Python's logging.config.dictConfig, as Synapse has it.
    version: 1
    formatters:
      precise:
        format: '%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(request)s - %(message)s'
    handlers:
      file:
        class: logging.handlers.TimedRotatingFileHandler
        formatter: precise
        filename: \(quoted(file))
        when: midnight
        backupCount: 3  # besides the current file
        encoding: utf8
      # Gathers lines and writes them together; warnings and worse are written at once.
      buffer:
        class: synapse.logging.handlers.PeriodicallyFlushingMemoryHandler
        target: file
        capacity: 10
        flushLevel: 30
        period: 5
      # Writes to the error output, for a service manager that keeps the lines. Name it under root to use it.
      console:
        class: logging.StreamHandler
        formatter: precise
    root:
      level: INFO
      handlers: [buffer]
    disable_existing_loggers: false

    """
  }

  private static func writeSigningKey(_ root: SettingsSection, folder: Text) throws(ConfigError) -> [Text] {
    guard !root.has("signing_key") else { return [] }
    let path: Text
    if let named = try root.string("signing_key_path") {
      path = named
    } else {
      guard let serverName = try root.string("server_name") else { throw ConfigError("server_name", "is missing") }
      path = KeySettings.standardSigningKeyPath(serverName: serverName, configFolder: folder)
    }
    guard !FileManager.default.fileExists(atPath: path.string) else { return try upgradeSigningKey(path) }
    try FileText.write(SigningKey.generate().line + "\n", to: path, mode: 0o640)
    return ["Wrote a new signing key to \(path)."]
  }

  /// Rewrites a file of the oldest form, a bare seed, as `ed25519 <version> <seed>`.
  private static func upgradeSigningKey(_ path: Text) throws(ConfigError) -> [Text] {
    let text = Text(decoding: try FileText.read(path, key: "signing_key_path"), as: UTF8.self)
    let words = (text.lines.first ?? "").words
    guard words.count == 1, let seed = UnpaddedBase64.decode(words[0]),
      let key = SigningKey(version: "a_" + RandomString.letters(4), seed: seed)
    else { return [] }
    try FileText.write(key.line + "\n", to: path, mode: 0o640)
    return ["Gave the signing key in \(path) a version."]
  }

  private static func writeLogConfig(_ root: SettingsSection) throws(ConfigError) -> [Text] {
    guard let path = try root.string("log_config"), !FileManager.default.fileExists(atPath: path.string) else {
      return []
    }
    let file = absolute("homeserver.log")
    try FileText.write(logConfig(file: file), to: path)
    return ["Wrote the log configuration \(path), which logs to \(file)."]
  }

  private static func writeSecrets(_ root: SettingsSection) throws(ConfigError) -> [Text] {
    var lines: [Text] = []
    for key in ["registration_shared_secret_path", "macaroon_secret_key_path", "form_secret_path"] {
      guard let path = try root.string(key), !path.isEmpty, !FileManager.default.fileExists(atPath: path.string) else {
        continue
      }
      try FileText.write(RandomString.alphanumeric(50) + "\n", to: path, mode: 0o640)
      lines.append("Wrote a new secret to \(path) (\(key)).")
    }
    return lines
  }

  private static func makeFolder(_ path: Text) throws(ConfigError) {
    do {
      try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
    } catch {
      throw ConfigError("", "cannot make the folder \(path): \(FileFailure.reason(of: error))")
    }
  }

  private static func absolute(_ path: Text) -> Text {
    Text(URL(fileURLWithPath: path.string).standardizedFileURL.path)
  }

  /// Renders a YAML scalar in double quotes.
  private static func quoted(_ text: Text) -> Text {
    "\"" + text.replacing(UInt8(ascii: "\\"), with: "\\\\").replacing(UInt8(ascii: "\""), with: "\\\"") + "\""
  }
}
