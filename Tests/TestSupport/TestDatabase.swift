import ByteText
import Postgres
import StorageEngine

/// One database of a private server and a client that is connected to it.
public struct TestDatabase: Sendable {
  /// The server that it is on.
  public let server: TestPostgres
  /// The name of the database.
  public let name: Text
  /// A started client with up to 8 connections for transactions.
  public let client: PostgresClient

  /// Returns a configuration with which further clients reach the database.
  public func configuration(maximumConnections: Int = 8) -> PostgresConfiguration {
    server.configuration(database: name, maximumConnections: maximumConnections)
  }

  /// Creates an empty database on the server that all suites share.
  public static func scratch() async throws -> TestDatabase {
    try await TestPostgres.shared().scratchDatabase()
  }

  /// Creates a database with the schema on the server that all suites share.
  public static func withSchema() async throws -> TestDatabase {
    try await TestPostgres.shared().schemaDatabase()
  }
}

/// The database with the schema, made once, from which others are copied.
actor TemplateDatabase {
  private var making: Task<Text, any Error>?

  func name(on server: TestPostgres) async throws -> Text {
    if let making { return try await making.value }
    let task = Task {
      let database = try await server.scratchDatabase()
      try await Schema.prepare(database.client, serverRole: .main)
      // A database that somebody is connected to cannot be copied.
      await database.client.shutdown()
      return database.name
    }
    making = task
    return try await task.value
  }
}
