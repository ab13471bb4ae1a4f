import ByteText
import EndpointKit
import Glibc
import Logging
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import ServiceLifecycle
import StorageEngine
import Stores

/// The life of a process: it starts everything in the order of dependencies, serves until told to stop, and stops in reverse.
///
/// Order: logging, PostgreSQL, schema, the role's stores and services, stream positions, the hub, listeners. SIGTERM and SIGINT stop:
/// long polls are answered, sockets close, running requests end within `drainTime`, the subsystems sign off, the hub and the connections close.
package struct ProcessRuntime: Sendable {
  /// The time that running requests may take once the process stops.
  private static let drainTime = Duration.seconds(15)
  /// The time that the process waits at start for the positions of the other processes.
  private static let catchUpTime = Duration.seconds(10)

  /// The settings.
  package let config: HomeserverConfig

  private let role: Role
  private let warnings: [Text]
  private let clock = ServerClock.system

  /// Reads the configuration.
  ///
  /// - Parameters:
  ///   - role: what the executable is.
  ///   - configPaths: values of `--config-path`, in order.
  ///   - acceptsUnsupported: accepts settings that shut something and have no effect here.
  /// - Throws: `ConfigError`, whose description is one line.
  package init(role: Role, configPaths: [String], acceptsUnsupported: Bool = false) throws {
    self.role = role
    (config, warnings) = try HomeserverConfig.load(
      paths: configPaths.map { Text($0) }, role: role.kind, acceptsUnsupported: acceptsUnsupported)
  }

  /// Reads the configuration from a text.
  ///
  /// - Parameters:
  ///   - role: what the executable is.
  ///   - configText: the text of a configuration file.
  /// - Throws: `ConfigError`, whose description is one line.
  package init(role: Role, configText: String) throws {
    self.role = role
    (config, warnings) = try HomeserverConfig.parse([("configuration", Array(configText.utf8))], role: role.kind)
  }

  /// A complete configuration of no real server, for looking at the endpoints without one.
  package static let sampleConfiguration = """
    server_name: example.org
    signing_key: "ed25519 a_aaaa AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    macaroon_secret_key: sample
    registration_shared_secret: sample
    database: {name: psycopg2, args: {dbname: none}}
    listeners: [{port: 8008, type: http, resources: [{names: [client]}]}]
    experimental_features:
      {msc3391_enabled: true, msc3814_enabled: true, msc4108_enabled: true, msc4143_enabled: true, msc4306_enabled: true,
        msc4388_mode: open}
    """

  /// Puts the role's subsystems together without connecting to anything, and lists their endpoints.
  ///
  /// - Throws: whatever keeps the role from being put together.
  package func families() async throws -> [EndpointFamily] {
    let database = PostgresClient(postgresConfiguration, logger: Logger(label: "myelin.postgres"))
    let context = try makeContext(database, Logger(label: "myelin.\(role.name)"))
    return [OwnEndpoints.health, OwnEndpoints.metrics { "" }] + (try await role.compose(context)).families(context)
  }

  /// Runs the process until it is asked to stop.
  ///
  /// - Throws: what kept the process from starting, or ended it.
  package func run() async throws {
    FreedMemory.gather()
    let logging = try ProcessLogging(config.logging)
    logging.bootstrap()
    defer { logging.flush() }
    let logger = Logger(label: "myelin.\(role.name)")
    logger.info("Starting", metadata: ["instance": "\(config.instanceName)", "server": "\(config.serverName)"])
    for warning in warnings { logger.warning("\(warning)") }
    signal(SIGPIPE, SIG_IGN)
    FileLimit.raise(to: config.server.softFileLimit)
    let pidFile = try config.server.pidFile.map { path throws(StartError) in try PIDFile(path.string) }
    defer { pidFile?.remove() }
    let hangUp = SignalSource(SIGHUP) {
      logging.reopen()
      logger.info("Log files opened again")
    }
    defer { hangUp.cancel() }
    try await serve(logger)
    logger.info("Stopped")
  }

  private func serve(_ logger: Logger) async throws {
    try await withContext(logger) { context in
      let parts = try await assemble(context, logger)
      try await runGroup(try parts.services(logger) { hub in await Self.waitForPositions(hub, logger) })
    }
  }

  /// Opens the database and prepares what every process has, for as long as `body` runs.
  func withContext<R>(_ logger: Logger, _ body: (ProcessContext) async throws -> R) async throws -> R {
    try await sessions.waitForPredecessor(
      postgresConfiguration, logger: Logger(label: "myelin.postgres"))
    let database = PostgresClient(postgresConfiguration, logger: Logger(label: "myelin.postgres"))
    try await database.start()
    do {
      try await Schema.prepare(
        database, serverRole: config.isMainProcess ? .main : .worker,
        allowsUnsafeLocale: config.database.allowsUnsafeLocale
      ) { logger.warning("\($0)") }
      let context = try makeContext(database, logger)
      let result = try await body(context)
      await database.shutdown()
      return result
    } catch {
      await database.shutdown()
      throw error
    }
  }

  private var sessions: InstanceSessions { InstanceSessions(instanceName: config.instanceName) }

  private var postgresConfiguration: PostgresConfiguration {
    var configuration = PostgresConfiguration(
      conninfo: config.database.arguments, minimumConnections: config.database.minimumConnections,
      maximumConnections: config.database.maximumConnections)
    configuration.sessionStatement = sessions.statement
    return configuration
  }

  private func makeContext(_ database: PostgresClient, _ logger: Logger) throws -> ProcessContext {
    let config = config
    let hub = StreamHub(
      instanceName: config.instanceName, writers: { config.writers(of: $0) }, transport: try transport(),
      clock: clock, logger: Logger(label: "myelin.replication"))
    let stores = StoreContext(
      database: database, config: config, hub: hub, clock: clock, logger: Logger(label: "myelin.storage"))
    let replication = config.redis == nil ? nil : replicationClient(hub)
    if let replication { hub.catchUp(over: replication) }
    return ProcessContext(
      config: config, clock: clock, database: database, stores: stores, hub: hub, replication: replication,
      logger: logger)
  }

  private func replicationClient(_ hub: StreamHub) -> ReplicationClient {
    let instances = config.instanceMap.mapValues { location in
      switch location {
      case .tcp(let host, let port, let usesTLS): ReplicationAddress.tcp(host: host, port: port, tls: usesTLS)
      case .unix(let path): ReplicationAddress.unix(path: path)
      }
    }
    return ReplicationClient(
      instanceName: config.instanceName, instances: instances, secret: config.replicationSecret,
      positions: ReplicationPositions(hub: hub), logger: Logger(label: "myelin.replication"))
  }

  /// Puts the role's subsystems together, connects and starts them.
  func assemble(_ context: ProcessContext, _ logger: Logger) async throws -> ProcessParts {
    let composition = try await role.compose(context)
    try await context.stores.load()
    for subsystem in composition.subsystems { subsystem.connect() }
    for subsystem in composition.subsystems { try await subsystem.start() }
    let metrics = MetricsPage(context: context, subsystems: composition.subsystems)
    let (deadlines, readiness) = (DeadlineWatch(), StartReadiness())
    let assembly = ListenerAssembly(
      config: config, families: composition.families(context), authenticator: composition.authenticator,
      replication: context.replication, requests: metrics.requests, metricsPage: { metrics.text },
      deadlines: deadlines, connections: metrics.connections, readiness: readiness, logger: logger)
    return ProcessParts(
      context: context, subsystems: composition.subsystems, assembly: assembly, deadlines: deadlines,
      readiness: readiness)
  }

  private func runGroup(_ services: [any Service]) async throws {
    var quiet = Logger(label: "myelin.lifecycle")
    quiet.logLevel = max(quiet.logLevel, .warning)
    var configuration = ServiceGroupConfiguration(
      services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
    configuration.maximumGracefulShutdownDuration = Self.drainTime
    try await ServiceGroup(configuration: configuration).run()
  }

  /// Lets the process answer only once it has caught up with the other processes; but without Redis it continues.
  private static func waitForPositions(_ hub: StreamHub, _ logger: Logger) async {
    await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        await hub.waitUntilCaughtUp()
        return true
      }
      group.addTask {
        try? await Task.sleep(for: catchUpTime)
        return false
      }
      if await group.next() == false {
        logger.warning("Serving before all positions are known", metadata: ["missing": "\(hub.missingPositions)"])
      } else if !hub.missingPositions.isEmpty {
        logger.info("Serving while other processes do not run", metadata: ["missing": "\(hub.missingPositions)"])
      }
      group.cancelAll()
    }
  }
}
