import ByteText
import Foundation
import Logging
import Postgres
import Synchronization

/// A PostgreSQL of its own for the tests of one process: in a temporary folder, reachable through a unix socket only.
public final class TestPostgres: Sendable {
  /// The folder of the unix socket; libpq's `host`.
  public let folder: String
  private let serial = Mutex(0)
  private let templates = TemplateDatabase()

  private init(folder: String) {
    self.folder = folder
  }

  private static let sharedTask = Task { try await TestPostgres.launch() }

  /// Returns the server that all suites of this process share; the first call starts it.
  public static func shared() async throws -> TestPostgres {
    try await sharedTask.value
  }

  /// Starts another server, for tests that stop and start theirs. It ends with the process at the latest.
  public static func launch() async throws -> TestPostgres {
    TestFolders.removeStale()
    let server = TestPostgres(folder: try TestFolders.make())
    try await server.runTool(
      "initdb",
      ["-D", server.dataFolder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"])
    try await server.start()
    return server
  }

  /// Starts the server again after ``stop()`` and waits until it takes connections.
  public func start() async throws {
    let settings = [
      "-c listen_addresses=''", "-c unix_socket_directories='\(folder)'", "-c fsync=off", "-c full_page_writes=off",
      "-c synchronous_commit=off", "-c max_connections=2000", "-c shared_buffers=64MB", "-c autovacuum=off",
    ]
    try await runTool(
      "pg_ctl",
      ["start", "-w", "-s", "-D", dataFolder, "-l", folder + "/log", "-o", settings.joined(separator: " ")])
  }

  /// Stops the server, closing all connections, and waits until it is gone.
  public func stop() async throws {
    try await runTool("pg_ctl", ["stop", "-w", "-s", "-m", "fast", "-D", dataFolder])
  }

  /// Creates an empty database and connects a client to it.
  public func scratchDatabase(encoding: Text = "UTF8", locale: Text = "C") async throws -> TestDatabase {
    let name = nextName()
    try await administrate(
      "CREATE DATABASE \(identifier: name) TEMPLATE template0 ENCODING \(verbatimText: encoding) LOCALE \(verbatimText: locale)"
    )
    return try await connect(to: name)
  }

  /// Creates a database that has the schema already and connects a client to it; quick, because it copies a template.
  public func schemaDatabase() async throws -> TestDatabase {
    let template = try await templates.name(on: self)
    let name = nextName()
    try await administrate("CREATE DATABASE \(identifier: name) TEMPLATE \(identifier: template)")
    return try await connect(to: name)
  }

  /// Returns a configuration for a database of this server.
  public func configuration(database: Text, maximumConnections: Int = 8) -> PostgresConfiguration {
    PostgresConfiguration(
      conninfo: ["host": Text(folder), "dbname": database, "user": "postgres"], minimumConnections: 1,
      maximumConnections: maximumConnections)
  }

  func connect(to name: Text) async throws -> TestDatabase {
    let configuration = configuration(database: name)
    let client = PostgresClient(configuration, logger: .silent)
    try await client.start()
    return TestDatabase(server: self, name: name, client: client)
  }

  private func administrate(_ sql: SQL) async throws {
    let client = PostgresClient(configuration(database: "postgres", maximumConnections: 1), logger: .silent)
    try await client.run(sql.uncached())
    await client.shutdown()
  }

  private func nextName() -> Text {
    let number = serial.withLock { serial in
      serial += 1
      return serial
    }
    return "scratch_\(number)"
  }

  private var dataFolder: String { folder + "/data" }

  /// Runs one of PostgreSQL's programs, as user `postgres` when the tests run as root, which those programs refuse.
  private func runTool(_ tool: String, _ arguments: [String]) async throws {
    var command = [try Self.binaries() + "/" + tool] + arguments
    if geteuid() == 0 { command = ["/usr/sbin/runuser", "-u", "postgres", "--"] + command }
    let output = folder + "/tools.log"
    let status = try await TestProgram.run(command, output: output)
    guard status == 0 else {
      let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
      let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
      throw TestPostgresError(description: "\(tool) ended with \(status): \(text) \(log.suffix(2000))")
    }
  }

  /// Finds the newest installed version.
  private static func binaries() throws -> String {
    if let folder = ProcessInfo.processInfo.environment["MYELIN_TEST_POSTGRES_BIN"] { return folder }
    let root = "/usr/lib/postgresql"
    let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap(Int.init)
    guard let newest = versions.max() else {
      throw TestPostgresError(
        description: "no PostgreSQL under \(root); name its bin folder in MYELIN_TEST_POSTGRES_BIN")
    }
    return "\(root)/\(newest)/bin"
  }
}

/// The reason why the private PostgreSQL could not be used.
public struct TestPostgresError: Error, CustomStringConvertible {
  /// The reason, with what the program printed.
  public let description: String
}

extension Logger {
  /// A logger that drops everything, for tests that provoke failures.
  public static var silent: Logger { Logger(label: "silent", factory: { _ in SwiftLogNoOpLogHandler() }) }
}

extension SQL.Interpolation {
  /// Appends text as a quoted literal, for statements that take no binds.
  fileprivate mutating func appendInterpolation(verbatimText text: Text) {
    appendLiteral("'\(text.replacing(UInt8(ascii: "'"), with: "''"))'")
  }
}
