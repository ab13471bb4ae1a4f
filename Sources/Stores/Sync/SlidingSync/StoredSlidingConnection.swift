import MatrixPrimitives
import Postgres

/// A connection of sliding sync as the tables have it: tokens are texts.
struct StoredSlidingConnection: Sendable {
  private struct Stream: Sendable {
    let name: Text
    let room: RoomID
    let token: Text?
  }

  private var lastUsed: Int64?
  private var configs: [RoomID: SlidingRoomConfig] = [:]
  private var streams: [Stream] = []
  private var stateWeight = 0

  /// Reads a connection and deletes what its client's coming with the position has made useless.
  ///
  /// - Parameter useInterval: how old `last_used_ts` may become, in milliseconds.
  init?(
    _ txn: Transaction, _ key: SlidingConnection.Key, at position: Int64, now: Int64, useInterval: Int64
  ) throws {
    guard let connection = try Self.lock(txn, key, at: position) else { return nil }
    lastUsed = connection.lastUsed
    if now - (lastUsed ?? 0) > useInterval {
      txn.enqueue(
        """
        UPDATE sliding_sync_connections SET last_used_ts = \(now)::bigint
        WHERE connection_key = \(connection.key)::bigint
        """)
    }
    Self.enqueueArrival(txn, connection.key, at: position)
    let states = try Self.requiredStates(txn, connection.key)
    // Asked for with the position itself, which may have gone while the lock was waited for.
    let rows = try txn.query(
      """
      SELECT c.room_id, c.timeline_limit, c.required_state_id FROM sliding_sync_connection_positions AS p
      LEFT JOIN sliding_sync_connection_room_configs AS c ON c.connection_position = p.connection_position
      WHERE p.connection_position = \(position)::bigint
      """)
    guard rows.count > 0 else { return nil }
    var used: Set<Int64> = []
    for row in rows {
      let (room, limit, id) = try row.decode(Text?.self, Int64?.self, Int64?.self)
      guard let room, let limit, let id else { continue }
      used.insert(id)
      configs[RoomID(unchecked: room)] = SlidingRoomConfig(
        timelineLimit: Int(clamping: limit), requiredState: states[id] ?? SlidingRequiredState())
    }
    stateWeight = used.reduce(0) { $0 + (states[$1]?.weight ?? 0) }
    try readStreams(txn, at: position)
    let unused = states.keys.filter { !used.contains($0) }
    if !unused.isEmpty {
      txn.enqueue(
        """
        DELETE FROM sliding_sync_connection_required_state
        WHERE connection_key = \(connection.key)::bigint AND required_state_id = ANY(\(unused)::bigint[])
        """)
    }
  }

  /// Finds the connection of a position and keeps others from changing it: requests of one connection come one after the other.
  static func lock(
    _ txn: Transaction, _ key: SlidingConnection.Key, at position: Int64
  ) throws -> (key: Int64, lastUsed: Int64?)? {
    let rows = try txn.query(
      """
      SELECT c.connection_key, c.last_used_ts FROM sliding_sync_connection_positions AS p
      JOIN sliding_sync_connections AS c ON c.connection_key = p.connection_key
      WHERE p.connection_position = \(position)::bigint AND c.user_id = \(key.user.rawValue)
        AND c.effective_device_id = \(key.device) AND c.conn_id = \(key.name)
      FOR NO KEY UPDATE OF c
      """)
    guard let row = rows.first else { return nil }
    let (connection, lastUsed) = try row.decode(Int64.self, Int64?.self)
    return (connection, lastUsed)
  }

  /// Deletes the connection's other positions, and makes the members sent with this one count for all that follow.
  private static func enqueueArrival(_ txn: Transaction, _ connection: Int64, at position: Int64) {
    txn.enqueue(
      """
      UPDATE sliding_sync_connection_lazy_members SET connection_position = NULL
      WHERE connection_key = \(connection)::bigint AND connection_position = \(position)::bigint
      """)
    txn.enqueue(
      """
      DELETE FROM sliding_sync_connection_positions
      WHERE connection_key = \(connection)::bigint AND connection_position <> \(position)::bigint
      """)
  }

  private static func requiredStates(
    _ txn: Transaction, _ connection: Int64
  ) throws -> [Int64: SlidingRequiredState] {
    let rows = try txn.query(
      """
      SELECT required_state_id, required_state FROM sliding_sync_connection_required_state
      WHERE connection_key = \(connection)::bigint
      """)
    var states: [Int64: SlidingRequiredState] = [:]
    for row in rows {
      let (id, stored) = try row.decode(Int64.self, Text.self)
      states[id] = try SlidingRequiredState(stored: stored)
    }
    return states
  }

  private mutating func readStreams(_ txn: Transaction, at position: Int64) throws {
    let rows = try txn.query(
      """
      SELECT stream, room_id, room_status, last_token FROM sliding_sync_connection_streams
      WHERE connection_position = \(position)::bigint
      """)
    for row in rows {
      let (stream, room, status, token) = try row.decode(Text.self, Text.self, Text.self, Text?.self)
      // A room that counts as never sent is none of those that were.
      guard status != "never" else { continue }
      streams.append(Stream(name: stream, room: RoomID(unchecked: room), token: status == "live" ? nil : token))
    }
  }

  /// Reads the tokens.
  ///
  /// A room whose token cannot be read counts as never sent; so does a stream of a name that is not known here.
  func connection(_ instances: InstanceMapStore) async throws -> SlidingConnection {
    var connection = SlidingConnection()
    connection.lastUsed = lastUsed
    connection.configs = configs
    connection.stateWeight = stateWeight
    for stream in streams {
      switch stream.name {
      case "rooms":
        connection.rooms[stream.room] = try await Self.sent(stream.token) {
          try await RoomStreamToken.parse($0, directory: instances)
        }
      case "receipts":
        connection.receipts[stream.room] = try await Self.sent(stream.token) {
          try await MultiWriterToken.parse($0, directory: instances)
        }
      case "account_data":
        connection.accountData[stream.room] = try await Self.sent(stream.token) { Int64($0) }
      default: continue
      }
    }
    return connection
  }

  private static func sent<Token>(
    _ text: Text?, _ parse: (Text) async throws -> Token?
  ) async throws -> SlidingConnection.Sent<Token>? {
    guard let text else { return .live }
    return try await parse(text).map { .previously($0) }
  }
}
