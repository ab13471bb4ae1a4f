import MatrixEvents
import MatrixPrimitives
import Postgres

/// Walks the graph of auth events (table `event_auth`), which holds the auth events of every stored state event.
public final class AuthChainStore: Sendable {
  let database: PostgresClient

  /// Makes the store.
  public init(database: PostgresClient) { self.database = database }

  /// Reads the auth events of all events that can be reached from the given ones, themselves included.
  ///
  /// - Returns: for every event met its auth events; events without any are absent.
  public func graph(from events: some Sequence<EventID>) async throws -> [EventID: [EventID]] {
    let start = events.map(\.rawValue)
    guard !start.isEmpty else { return [:] }
    let found = try await read(
      """
      WITH RECURSIVE reached(id) AS (
        SELECT * FROM unnest(\(start)::text[])
        UNION
        SELECT a.auth_id FROM event_auth AS a JOIN reached ON a.event_id = reached.id
      )
      SELECT a.event_id, a.auth_id FROM event_auth AS a JOIN reached ON a.event_id = reached.id
      """)
    var graph: [EventID: [EventID]] = [:]
    for row in found {
      let (event, auth) = try row.decode(String.self, String.self)
      graph[EventID(unchecked: event), default: []].append(EventID(unchecked: auth))
    }
    return graph
  }

  /// Tells which of the candidates are in the auth chain of one of the events, the events themselves included.
  public func members(
    of candidates: some Collection<EventID>, inChainOf events: some Collection<EventID>
  ) async throws -> Set<EventID> {
    guard !candidates.isEmpty, !events.isEmpty else { return [] }
    let found = try await read(
      """
      WITH RECURSIVE reached(id) AS (
        SELECT * FROM unnest(\(events.map(\.rawValue))::text[])
        UNION
        SELECT a.auth_id FROM event_auth AS a JOIN reached ON a.event_id = reached.id
      )
      SELECT id FROM reached WHERE id = ANY(\(candidates.map(\.rawValue))::text[])
      """)
    return Set(try found.map { EventID(unchecked: try $0.get(0)) })
  }

  /// Runs a walk on a connection of its own: it may take long, and single reads share theirs.
  private func read(_ sql: SQL) async throws -> PostgresRows {
    try await database.transaction("auth_chain", readOnly: true) { try $0.query(sql) }
  }
}
