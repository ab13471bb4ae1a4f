import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// The presence of users (`presence_stream`), one row a user.
public final class PresenceStore: Sendable {
  let database: PostgresClient
  let writer: StreamWriter
  private let states: Cache<UserID, PresenceState>

  /// The stream id at which each user's presence last changed.
  public let changes: StreamChangeCache

  /// Id generator of the stream `presence`.
  public var ids: StreamIDGenerator { writer.ids }

  init(_ context: StoreContext) {
    database = context.database
    writer = StreamWriter(.presence, context.ids[.presence], context)
    states = context.caches.cache("_get_presence_for_user", byteBudget: 4 << 20) { _, _ in 256 }
    changes = context.caches.changeCache("PresenceStreamChangeCache")
    context.afterLoad { [changes, writer] in changes.start(at: writer.ids.currentToken) }
    context.follow(.presence, for: self) { store, batches in
      for batch in batches {
        for case .presence(let row) in batch.rows { store.note(PresenceState(row: row), at: batch.token) }
      }
    }
  }

  /// Takes note of a row of the stream before the position advances.
  public func note(_ state: PresenceState, at token: Int64) {
    states.invalidate(state.user)
    states.insert(state.user, state)
    changes.entityChanged(state.user.rawValue, at: token)
  }

  /// Returns the presence of users; those without a row are offline.
  public func states(of users: [UserID]) async throws -> [UserID: PresenceState] {
    let database = self.database
    return try await states.values(users) { missing in
      let rows = try await database.run(
        Self.selection + " WHERE user_id = ANY(\(missing.map(\.rawValue))::text[])")
      var found: [UserID: PresenceState] = [:]
      for user in missing { found[user] = PresenceState(user: user) }
      for row in rows {
        let state = try Self.state(from: row)
        found[state.user] = state
      }
      return found
    }
  }

  /// Returns everybody who is not offline, for the timers of a presence writer that starts.
  public func active() async throws -> [PresenceState] {
    try await database.run(Self.selection + " WHERE state <> 'offline'").map { try Self.state(from: $0) }
  }

  /// Returns the rows of the stream in a range, for other processes that catch up.
  public func rows(after from: Int64, upTo: Int64, limit: Int) async throws -> [(token: Int64, state: PresenceState)] {
    let rows = try await database.run(
      """
      SELECT user_id, state, last_active_ts, last_federation_update_ts, last_user_sync_ts, status_msg, currently_active,
        stream_id
      FROM presence_stream WHERE stream_id > \(from) AND stream_id <= \(upTo) ORDER BY stream_id LIMIT \(limit)
      """)
    return try rows.map { (try $0.get(7), try Self.state(from: $0)) }
  }

  /// Stores new states, each under a stream id of its own.
  ///
  /// - Parameter states: at most one for each user.
  public func store(_ states: [PresenceState]) async throws {
    guard !states.isEmpty else { return }
    try await writer.write(states.count) { [self] reserved in
      let instance = writer.instanceName
      try await database.transaction("update_presence", isolation: .readCommitted) { txn in
        txn.enqueue("DELETE FROM presence_stream WHERE user_id = ANY(\(states.map(\.user.rawValue))::text[])")
        txn.enqueue(Self.insert(states, reserved, instance))
      }
      for (state, token) in zip(states, reserved) { note(state, at: token) }
      return states.map { .presence($0.row) }
    }
  }

  private static let selection: SQL = """
    SELECT user_id, state, last_active_ts, last_federation_update_ts, last_user_sync_ts, status_msg, currently_active
    FROM presence_stream
    """

  private static func state(from row: PostgresRow) throws -> PresenceState {
    PresenceState(
      user: UserID(unchecked: try row.get(0)),
      state: PresenceState.Availability(rawValue: try row.get(1, as: Text?.self) ?? "") ?? .offline,
      lastActiveTS: try row.get(2, as: Int64?.self) ?? 0,
      lastFederationUpdateTS: try row.get(3, as: Int64?.self) ?? 0,
      lastUserSyncTS: try row.get(4, as: Int64?.self) ?? 0,
      statusMessage: try row.get(5, as: Text?.self),
      isCurrentlyActive: try row.get(6, as: Bool?.self) ?? false)
  }

  private static func insert(_ states: [PresenceState], _ ids: [Int64], _ instance: Text) -> SQL {
    """
    INSERT INTO presence_stream (stream_id, user_id, state, last_active_ts, last_federation_update_ts, last_user_sync_ts,
      status_msg, currently_active, instance_name)
    SELECT p.*, \(instance)::text FROM unnest(
      \(ids)::bigint[], \(states.map(\.user.rawValue))::text[], \(states.map(\.state.rawValue))::text[],
      \(states.map(\.lastActiveTS))::bigint[], \(states.map(\.lastFederationUpdateTS))::bigint[],
      \(states.map(\.lastUserSyncTS))::bigint[], \(states.map(\.statusMessage))::text[],
      \(states.map(\.isCurrentlyActive))::boolean[]) AS p
    """
  }
}
