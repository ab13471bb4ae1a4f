import MatrixPrimitives
import Postgres

/// The rows that an answer adds to a connection of sliding sync.
struct SlidingConnectionRecord: Sendable {
  private var streams: [Text] = []
  private var streamRooms: [Text] = []
  private var statuses: [Text] = []
  private var tokens: [Text?] = []
  private let configs: [(room: Text, limit: Int64, state: SlidingRequiredState)]
  private var notedRooms: [Text] = []
  private var notedUsers: [Text] = []
  private var droppedRooms: [Text] = []
  private var droppedUsers: [Text] = []
  private let now: Int64

  /// Writes the tokens of changes as texts.
  init(_ changes: SlidingConnectionChanges, _ instances: InstanceMapStore, now: Int64) async throws {
    self.now = now
    configs = changes.configs.map { ($0.key.rawValue, Int64($0.value.timelineLimit), $0.value.requiredState) }
    for (room, sent) in changes.rooms {
      try await add("rooms", room, sent) { try await $0.text(directory: instances) }
    }
    for (room, sent) in changes.receipts {
      try await add("receipts", room, sent) { try await $0.text(directory: instances) }
    }
    for (room, sent) in changes.accountData { try await add("account_data", room, sent) { Text($0) } }
    for (room, members) in changes.members {
      for user in members.toNote(at: now) where !user.contains(0) {
        notedRooms.append(room.rawValue)
        notedUsers.append(user)
      }
      for user in members.invalidated where !user.contains(0) {
        droppedRooms.append(room.rawValue)
        droppedUsers.append(user)
      }
    }
  }

  private mutating func add<Token>(
    _ stream: Text, _ room: RoomID, _ sent: SlidingConnection.Sent<Token>, _ text: (Token) async throws -> Text
  ) async throws {
    streams.append(stream)
    streamRooms.append(room.rawValue)
    switch sent {
    case .live:
      statuses.append("live")
      tokens.append(nil)
    case .previously(let token):
      statuses.append("previously")
      tokens.append(try await text(token))
    }
  }

  /// Writes the rows of a new position.
  ///
  /// - Returns: nil when the previous position is gone.
  func write(
    to txn: Transaction, _ key: SlidingConnection.Key, after previous: Int64?, mostConnections: Int64
  ) throws -> Int64? {
    let connection: Int64
    let position: Int64
    if let previous {
      guard let known = try StoredSlidingConnection.lock(txn, key, at: previous),
        let new = try Self.addPosition(txn, known.key, after: previous, now)
      else { return nil }
      (connection, position) = (known.key, new)
    } else {
      (connection, position) = try Self.begin(txn, key, now, mostConnections)
    }
    let states = try requiredStates(txn, connection, isNew: previous == nil)
    if let previous { Self.enqueueCopy(txn, from: previous, to: position) }
    enqueueStreams(txn, position)
    enqueueConfigs(txn, position, states)
    enqueueMembers(txn, connection, position)
    return position
  }

  // MARK: Positions

  /// Makes a connection in the place of the one of the same name, and of the one that was unused for the longest time when there are too many.
  private static func begin(
    _ txn: Transaction, _ key: SlidingConnection.Key, _ now: Int64, _ mostConnections: Int64
  ) throws -> (connection: Int64, position: Int64) {
    let (user, device) = (key.user.rawValue, key.device)
    txn.enqueue(
      """
      DELETE FROM sliding_sync_connections WHERE user_id = \(user) AND effective_device_id = \(device)
        AND (conn_id = \(key.name) OR connection_key IN (
          SELECT connection_key FROM sliding_sync_connections
          WHERE user_id = \(user) AND effective_device_id = \(device) AND conn_id <> \(key.name)
          ORDER BY COALESCE(last_used_ts, created_ts) DESC, connection_key DESC OFFSET \(mostConnections - 1)::bigint))
      """)
    let rows = try txn.query(
      """
      WITH connection AS (
        INSERT INTO sliding_sync_connections (user_id, effective_device_id, conn_id, created_ts, last_used_ts)
        VALUES (\(user), \(device), \(key.name), \(now)::bigint, \(now)::bigint) RETURNING connection_key
      )
      INSERT INTO sliding_sync_connection_positions (connection_key, created_ts)
      SELECT connection_key, \(now)::bigint FROM connection RETURNING connection_key, connection_position
      """)
    guard let row = rows.first else { throw StoreError.missingRow("sliding_sync_connections") }
    return try row.decode(Int64.self, Int64.self)
  }

  /// The most answers to requests from one position that are kept until one of them has arrived, the last ones.
  private static let mostAnswers: Int64 = 20

  private static func addPosition(
    _ txn: Transaction, _ connection: Int64, after previous: Int64, _ now: Int64
  ) throws -> Int64? {
    try txn.query(
      """
      WITH surplus AS (
        DELETE FROM sliding_sync_connection_positions WHERE connection_position IN (
          SELECT connection_position FROM sliding_sync_connection_positions
          WHERE connection_key = \(connection)::bigint AND connection_position <> \(previous)::bigint
          ORDER BY connection_position DESC OFFSET \(mostAnswers)::bigint)
      )
      INSERT INTO sliding_sync_connection_positions (connection_key, created_ts)
      SELECT connection_key, \(now)::bigint FROM sliding_sync_connection_positions
      WHERE connection_position = \(previous)::bigint AND connection_key = \(connection)::bigint
      RETURNING connection_position
      """
    ).first?.get(0)
  }

  private static func enqueueCopy(_ txn: Transaction, from previous: Int64, to position: Int64) {
    txn.enqueue(
      """
      INSERT INTO sliding_sync_connection_streams (connection_position, stream, room_id, room_status, last_token)
      SELECT \(position)::bigint, stream, room_id, room_status, last_token
      FROM sliding_sync_connection_streams WHERE connection_position = \(previous)::bigint
      """)
    txn.enqueue(
      """
      INSERT INTO sliding_sync_connection_room_configs (connection_position, room_id, timeline_limit, required_state_id)
      SELECT \(position)::bigint, room_id, timeline_limit, required_state_id
      FROM sliding_sync_connection_room_configs WHERE connection_position = \(previous)::bigint
      """)
  }

  // MARK: Rooms

  /// Finds the numbers of the wanted choices of state; those that the connection does not have yet are added.
  private func requiredStates(
    _ txn: Transaction, _ connection: Int64, isNew: Bool
  ) throws -> [SlidingRequiredState: Int64] {
    let wanted = Set(configs.map(\.state))
    guard !wanted.isEmpty else { return [:] }
    var ids: [SlidingRequiredState: Int64] = [:]
    if !isNew {
      let rows = try txn.query(
        """
        SELECT required_state_id, required_state FROM sliding_sync_connection_required_state
        WHERE connection_key = \(connection)::bigint
        """)
      for row in rows {
        let (id, stored) = try row.decode(Int64.self, Text.self)
        ids[try SlidingRequiredState(stored: stored)] = id
      }
    }
    let missing = wanted.filter { ids[$0] == nil }
    guard !missing.isEmpty else { return ids }
    let rows = try txn.query(
      """
      INSERT INTO sliding_sync_connection_required_state (connection_key, required_state)
      SELECT \(connection)::bigint, q.state FROM unnest(\(missing.map(\.stored))::text[]) AS q(state)
      RETURNING required_state_id, required_state
      """)
    for row in rows {
      let (id, stored) = try row.decode(Int64.self, Text.self)
      ids[try SlidingRequiredState(stored: stored)] = id
    }
    return ids
  }

  private func enqueueStreams(_ txn: Transaction, _ position: Int64) {
    guard !streams.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO sliding_sync_connection_streams (connection_position, stream, room_id, room_status, last_token)
      SELECT \(position)::bigint, q.stream, q.room_id, q.status, q.token
      FROM unnest(\(streams)::text[], \(streamRooms)::text[], \(statuses)::text[], \(tokens)::text[])
        AS q(stream, room_id, status, token)
      ON CONFLICT (connection_position, room_id, stream)
        DO UPDATE SET room_status = EXCLUDED.room_status, last_token = EXCLUDED.last_token
      """)
  }

  private func enqueueConfigs(_ txn: Transaction, _ position: Int64, _ states: [SlidingRequiredState: Int64]) {
    let rows = configs.compactMap { config in states[config.state].map { (config.room, config.limit, $0) } }
    guard !rows.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO sliding_sync_connection_room_configs (connection_position, room_id, timeline_limit, required_state_id)
      SELECT \(position)::bigint, q.room_id, q.timeline_limit, q.state
      FROM unnest(\(rows.map(\.0))::text[], \(rows.map(\.1))::bigint[], \(rows.map(\.2))::bigint[])
        AS q(room_id, timeline_limit, state)
      ON CONFLICT (connection_position, room_id)
        DO UPDATE SET timeline_limit = EXCLUDED.timeline_limit, required_state_id = EXCLUDED.required_state_id
      """)
  }

  // MARK: Members

  private func enqueueMembers(_ txn: Transaction, _ connection: Int64, _ position: Int64) {
    if !notedUsers.isEmpty {
      // A note that another answer to the same request made is left to it; at worst a member is sent twice.
      txn.enqueue(
        """
        INSERT INTO sliding_sync_connection_lazy_members AS old
          (connection_key, connection_position, room_id, user_id, last_seen_ts)
        SELECT \(connection)::bigint, \(position)::bigint, q.room_id, q.user_id, \(now)::bigint
        FROM unnest(\(notedRooms)::text[], \(notedUsers)::text[]) AS q(room_id, user_id)
        ON CONFLICT (connection_key, room_id, user_id) DO UPDATE SET last_seen_ts = EXCLUDED.last_seen_ts
        WHERE old.connection_position IS NULL OR old.connection_position = EXCLUDED.connection_position
        """)
    }
    guard !droppedUsers.isEmpty else { return }
    txn.enqueue(
      """
      DELETE FROM sliding_sync_connection_lazy_members AS old
      USING unnest(\(droppedRooms)::text[], \(droppedUsers)::text[]) AS q(room_id, user_id)
      WHERE old.connection_key = \(connection)::bigint AND old.room_id = q.room_id AND old.user_id = q.user_id
      """)
  }
}
