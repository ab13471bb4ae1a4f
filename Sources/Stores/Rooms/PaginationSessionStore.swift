import MatrixPrimitives
import Postgres

/// What a paged answer remembers between its pages (`sessions`), in the form in which Synapse keeps it, so that any process goes on with it.
public final class PaginationSessionStore: Sendable {
  private let database: PostgresClient
  private let clock: ServerClock

  init(_ context: StoreContext) {
    database = context.database
    clock = context.clock
  }

  /// Stores a session, and removes those of all types that have expired.
  ///
  /// - Parameter lifetimeMilliseconds: the time after which it is not found any more.
  /// - Returns: the name by which it is found.
  public func create(_ type: Text, _ value: JSON, lifetimeMilliseconds: Int64) async throws -> Text {
    let id = RandomString.letters(24)
    let now = clock.nowMilliseconds
    // What nobody expects to contain U+0000 would fail here as a whole; the escape is text like any other in this column.
    _ = try await database.run(
      """
      WITH expired AS (DELETE FROM sessions WHERE expiry_time_ms <= \(now)::bigint)
      INSERT INTO sessions (session_type, session_id, value, expiry_time_ms)
      VALUES (\(type), \(id), \(value.encodedText), \(now &+ lifetimeMilliseconds)::bigint)
      """)
    return id
  }

  /// Finds a session; nil when there is none, or when it has expired or cannot be read.
  public func session(_ type: Text, _ id: Text) async throws -> JSONValue? {
    // PostgreSQL takes no U+0000, so nothing has such a name.
    guard !id.contains(0) else { return nil }
    let rows = try await database.run(
      """
      SELECT value FROM sessions
      WHERE session_type = \(type) AND session_id = \(id) AND expiry_time_ms > \(clock.nowMilliseconds)::bigint
      """)
    guard let row = rows.first else { return nil }
    // What another process wrote in a form of its own is as good as no session.
    return try? JSONValue.parse(try row.get(0, as: SQLText.self).bytes)
  }
}
