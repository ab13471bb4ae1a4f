import ByteText
import Postgres
import Synchronization

/// The numbers that stand for writers' names in tokens (table `instance_map`), every answer remembered.
public final class InstanceMapStore: InstanceDirectory {
  private struct Maps {
    var ids: [Text: Int64] = [:]
    var names: [Int64: Text] = [:]
  }

  private let database: PostgresClient
  private let maps = Mutex(Maps())

  /// Makes the store; nothing is read before the first question.
  public init(database: PostgresClient) { self.database = database }

  /// Returns a writer's number, inserting a row on first use.
  public func instanceID(forName name: Text) async throws -> Int64 {
    if let known = maps.withLock({ $0.ids[name] }) { return known }
    // The no-op update makes the statement return the row in either case.
    let rows = try await database.run(
      """
      INSERT INTO instance_map (instance_name) VALUES (\(name))
      ON CONFLICT (instance_name) DO UPDATE SET instance_name = EXCLUDED.instance_name RETURNING instance_id::bigint
      """)
    guard let row = rows.first else { throw StoreError.missingRow("instance_map") }
    let id = try row.get(0, as: Int64.self)
    remember(id, name)
    return id
  }

  /// Returns the writer with a number, or nil when there is none.
  public func instanceName(forID id: Int64) async throws -> Text? {
    if let known = maps.withLock({ $0.names[id] }) { return known }
    guard id > 0, id <= Int64(Int32.max) else { return nil }
    let rows = try await database.run("SELECT instance_name FROM instance_map WHERE instance_id = \(id)::bigint")
    guard let row = rows.first else { return nil }
    let name = try row.get(0, as: Text.self)
    remember(id, name)
    return name
  }

  private func remember(_ id: Int64, _ name: Text) {
    maps.withLock {
      $0.ids[name] = id
      $0.names[id] = name
    }
  }
}
