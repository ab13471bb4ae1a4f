import FoundationEssentials
import Glibc
import MatrixPrimitives
import YAML

extension HomeserverConfig {
  /// Reads the configuration of a process from its files.
  ///
  /// - Parameters:
  ///   - paths: values of `--config-path`, in order: files, or folders whose `*.yaml` files are read sorted. A
  ///   top-level key of a
  ///     later file replaces an earlier one whole.
  ///   - role: main process or worker; files meant for the other are refused.
  ///   - acceptsUnsupported: accepts settings that shut something and have no effect here, which are refused otherwise.
  /// - Returns: the settings, and a line for each notice to the administrator that is not an error.
  /// - Throws: `ConfigError`, whose description is one line with file, line and column.
  public static func load(
    paths: [Text], role: Role, acceptsUnsupported: Bool = false
  ) throws(ConfigError) -> (HomeserverConfig, warnings: [Text]) {
    var warnings: [Text] = []
    let files = try ConfigFiles.find(paths, warnings: &warnings)
    guard let last = files.last else { throw ConfigError("--config-path", "names no file, expected at least one") }
    var documents: [(file: Text, text: [UInt8])] = []
    for file in files { documents.append((file, try FileText.read(file, key: ""))) }
    let folder = Text(URL(fileURLWithPath: last.string).deletingLastPathComponent().path)
    let environment = Dictionary(
      uniqueKeysWithValues: ProcessInfo.processInfo.environment.map { (Text($0), Text($1)) })
    let (config, more) = try parse(
      documents, role: role, acceptsUnsupported: acceptsUnsupported, configFolder: folder, environment: environment)
    return (config, warnings + more)
  }

  /// Reads the configuration of a process from texts, for tests and tools.
  ///
  /// Files that the texts name (keys, secrets, log configuration) are still read from disk.
  ///
  /// - Parameters:
  ///   - documents: the texts in the order of merging, with a name each.
  ///   - role: main process or worker.
  ///   - acceptsUnsupported: accepts settings that shut something and have no effect here, which are refused otherwise.
  ///   - configFolder: where the signing key is looked for when no path is set.
  ///   - environment: variables of the form `SYNAPSE_CACHE_FACTOR…`.
  public static func parse(
    _ documents: [(file: Text, text: [UInt8])], role: Role, acceptsUnsupported: Bool = false,
    configFolder: Text = "", environment: [Text: Text] = [:]
  ) throws(ConfigError) -> (HomeserverConfig, warnings: [Text]) {
    var warnings: [Text] = []
    let mapping = try ConfigFiles.merge(documents, warnings: &warnings)
    let root = SettingsSection(path: "", mapping: mapping, mark: nil)
    let config = try HomeserverConfig(
      root, role: role, configFolder: configFolder, environment: environment, warnings: &warnings)
    if !acceptsUnsupported { try KnownKeys.refuse(root) }
    return (config, warnings + KnownKeys.warnings(root))
  }

  private init(
    _ root: SettingsSection, role: Role, configFolder: Text, environment: [Text: Text], warnings: inout [Text]
  ) throws(ConfigError) {
    serverName = try Self.serverName(root)
    let process = try Self.process(root, role: role)
    workerApp = process.app
    instanceName = process.instanceName
    let baseURL = try PublicBaseURL(root, serverName: serverName)
    publicBaseURL = baseURL.value
    server = try ServerSettings(root, publicBaseURL: baseURL, role: role)
    listeners = try Self.listeners(root, role: role, server: server, warnings: &warnings)
    database = try DatabaseSettings(root: root)
    redis = try RedisSettings.read(root)
    instanceMap = try InstanceLocation.readMap(root)
    try Self.checkCluster(root, role: role, hasRedis: redis != nil, instanceMap: instanceMap)
    streamWriters = try StreamWriters(root, instanceMap: instanceMap)
    duties = try WorkerDuties(root, process: process, warnings: &warnings)
    replicationSecret = try root.secret("worker_replication_secret", path: "worker_replication_secret_path")
    registration = try RegistrationSettings(root, serverName: serverName, role: role)
    keys = try KeySettings(
      root, role: role, serverName: serverName, configFolder: configFolder,
      sharedSecret: registration.sharedSecret, warnings: &warnings)
    passwords = try PasswordSettings(root)
    sessions = try SessionSettings(root)
    rateLimits = try RateLimitSettings(root)
    rooms = try RoomSettings(root)
    profiles = try ProfileSettings(root)
    keepsStatistics = try root.section("stats").bool("enabled", true)
    presence = try PresenceSettings(root)
    limits = try LimitSettings(root)
    caches = try CacheSettings(root, environment: environment)
    media = try MediaSettings(root, workerApp: workerApp)
    push = try PushSettings(root)
    turn = try TurnSettings(root)
    callTransports = try CallTransportSettings(root)
    experimental = try ExperimentalSettings(root)
    let mainLog = try root.string("log_config")
    let workerLog = try root.string("worker_log_config")
    loggingFile = role == .worker ? workerLog : mainLog
    if root.has("log_file") {
      throw root.fail("log_file", "is gone, expected log_config with a log configuration file")
    }
    logging =
      try loggingFile.map { path throws(ConfigError) in try LoggingSettings.load(path: path, warnings: &warnings) }
      ?? .standard
  }

  private static func serverName(_ root: SettingsSection) throws(ConfigError) -> Text {
    guard let name = try root.string("server_name") else {
      throw ConfigError("server_name", "is missing, expected the domain of the server's users")
    }
    guard ServerName.isValid(name) else {
      throw root.fail("server_name", "found \"\(name)\", expected a host name or an IP address, with or without a port")
    }
    return name
  }

  private static func process(_ root: SettingsSection, role: Role) throws(ConfigError) -> WorkerDuties.Process {
    var app = try root.string("worker_app")
    if app == "synapse.app.homeserver" { app = nil }
    let name = try root.string("worker_name")
    switch role {
    case .homeserver:
      if let app {
        throw root.fail(
          "worker_app", "found \"\(app)\", expected no worker_app: this is the main process, workers run generic_worker"
        )
      }
      if let name { throw root.fail("worker_name", "found \"\(name)\", expected no name for the main process") }
      return WorkerDuties.Process(app: nil, name: nil)
    case .worker:
      guard let app else { throw ConfigError("worker_app", "is missing, expected synapse.app.generic_worker") }
      guard workerApps.contains(app) else {
        throw root.fail("worker_app", "found \"\(app)\", expected synapse.app.generic_worker")
      }
      let name = name ?? app
      guard name != mainInstanceName, name != "main", !name.isEmpty else {
        throw root.fail("worker_name", "found \"\(name)\", expected a name that is not the main process'")
      }
      return WorkerDuties.Process(app: app, name: name)
    }
  }

  private static func listeners(
    _ root: SettingsSection, role: Role, server: ServerSettings, warnings: inout [Text]
  ) throws(ConfigError) -> [ListenerSettings] {
    let key = role == .worker ? "worker_listeners" : "listeners"
    root.accept("listeners", "worker_listeners")
    let listeners = try ListenerSettings.read(root, key, warnings: &warnings)
    guard listeners.contains(where: \.usesTLS) else { return listeners }
    for (name, value) in [
      ("tls_certificate_path", server.tlsCertificatePath), ("tls_private_key_path", server.tlsPrivateKeyPath),
    ] where value == nil {
      throw root.fail(name, "is missing, expected a path because a listener has tls: true")
    }
    return listeners
  }

  /// Checks what a worker needs to find the rest of the cluster, and refuses what Synapse has removed.
  private static func checkCluster(
    _ root: SettingsSection, role: Role, hasRedis: Bool, instanceMap: [Text: InstanceLocation]
  ) throws(ConfigError) {
    if root.has("worker_replication_port") {
      throw root.fail("worker_replication_port", "direct TCP replication is gone, expected redis.enabled: true")
    }
    for key in ["worker_replication_host", "worker_replication_http_port", "worker_replication_http_tls"]
    where root.has(key) && role == .worker {
      throw root.fail(key, "is gone, expected the main process' place under main in instance_map")
    }
    guard role == .worker else { return }
    guard instanceMap[mainInstanceName] != nil else {
      throw root.fail("instance_map", "has no entry main, expected where the main process answers HTTP replication")
    }
    guard hasRedis else {
      throw root.fail("redis", "is not enabled, expected redis.enabled: true because a worker needs it")
    }
  }
}
