import MatrixPrimitives
import Postgres
import StorageEngine
import Synchronization

/// The connections of sliding sync (`sliding_sync_connections` and the tables that refer to it), as Synapse keeps them, so that a client goes on after
/// a restart, at another worker and at a Synapse.
///
/// An answer that changes what the client has gets a position of its own, which the client's token carries. The first request that comes with a position
/// shows that the answer has arrived: the connection's other positions are deleted then.
public final class SlidingConnectionStore: Sendable {
  /// A connection at a position, and what is remembered of its members.
  public final class Place: Sendable {
    /// The position; 0 before the first.
    public let position: Int64
    /// What was sent up to it.
    public let connection: SlidingConnection
    let readAt: Int64
    /// For each member that was asked for: when it was noted that the client has it, nil when it has not.
    let members = Mutex<[RoomID: [Text: Int64?]]>([:])

    /// Makes a place.
    init(position: Int64, connection: SlidingConnection, readAt: Int64) {
      self.position = position
      self.connection = connection
      self.readAt = readAt
    }
  }

  /// The most connections of one device; a new one beyond ends the one that was unused for the longest time.
  public static let mostConnections: Int64 = 20
  /// The most members whose notes a place keeps in memory.
  private static let mostMembers = 2_000
  /// How exactly `last_used_ts` is kept, as on Synapse; so long is a place believed in without looking, too.
  private static let useIntervalMilliseconds: Int64 = 5 * 60_000
  /// For how long an unused connection is kept, as on Synapse.
  private static let lifetimeMilliseconds: Int64 = 7 * 86_400_000

  let database: PostgresClient
  let clock: ServerClock
  private let instances: InstanceMapStore
  /// The place at which each connection was used last.
  private let places: Cache<SlidingConnection.Key, Place>

  /// Makes the store; nothing is read yet.
  public init(_ context: StoreContext) {
    database = context.database
    clock = context.clock
    instances = context.instances
    places = context.caches.cache("get_and_clear_connection_positions", byteBudget: 32 << 20) {
      // Members are remembered in the place after it was weighed.
      1024 + $0.name.utf8.count + $1.connection.weight
    }
  }

  // MARK: Reading

  /// Makes the place of a connection that begins.
  public func beginning() -> Place {
    Place(position: 0, connection: SlidingConnection(), readAt: clock.nowMilliseconds)
  }

  /// Reads a connection at a position.
  ///
  /// Cost: nothing at the position of the last request, some statements in one transaction else.
  /// - Returns: nil when the position is not this connection's, or no more.
  public func place(_ key: SlidingConnection.Key, at position: Int64) async throws -> Place? {
    let now = clock.nowMilliseconds
    if let known = places.peek(key), known.position == position, now - known.readAt < Self.useIntervalMilliseconds {
      return known
    }
    let stored = try await database.transaction("read_sliding_sync_connection", isolation: .readCommitted) { txn in
      try StoredSlidingConnection(txn, key, at: position, now: now, useInterval: Self.useIntervalMilliseconds)
    }
    guard let connection = try await stored?.connection(instances) else { return nil }
    let place = Place(position: position, connection: connection, readAt: now)
    places.insert(key, place)
    return place
  }

  /// Reads which members a client that loads them lazily has, and when that was last noted.
  ///
  /// Cost: at most one statement; nothing for members that were asked for before.
  public func members(_ wanted: [RoomID: Set<Text>], at place: Place) async throws -> [RoomID: [Text: Int64]] {
    guard place.position > 0 else { return [:] }
    var (rooms, users): ([Text], [Text]) = ([], [])
    let known = place.members.withLock { $0 }
    for (room, members) in wanted {
      // No stored user has a zero byte in its name.
      for user in members where known[room]?[user] == nil && !user.contains(0) {
        rooms.append(room.rawValue)
        users.append(user)
      }
    }
    var found: [RoomID: [Text: Int64?]] = [:]
    if !rooms.isEmpty { found = try await readMembers(rooms, users, place.position) }
    place.members.withLock { members in
      if members.reduce(0, { $0 + $1.value.count }) > Self.mostMembers { members = [:] }
      for (room, new) in found { members[room, default: [:]].merge(new) { $1 } }
    }
    var result: [RoomID: [Text: Int64]] = [:]
    for (room, members) in wanted {
      for user in members {
        if let noted = (known[room]?[user] ?? found[room]?[user]).flatMap({ $0 }) {
          result[room, default: [:]][user] = noted
        }
      }
    }
    return result
  }

  private func readMembers(
    _ rooms: [Text], _ users: [Text], _ position: Int64
  ) async throws -> [RoomID: [Text: Int64?]] {
    // A row with a position belongs to an answer that may not have arrived; it counts only for those who come from it.
    let rows = try await database.run(
      """
      SELECT m.room_id, m.user_id, m.last_seen_ts
      FROM sliding_sync_connection_positions AS p
      CROSS JOIN unnest(\(rooms)::text[], \(users)::text[]) AS q(room_id, user_id)
      JOIN sliding_sync_connection_lazy_members AS m
        ON m.connection_key = p.connection_key AND m.room_id = q.room_id AND m.user_id = q.user_id
      WHERE p.connection_position = \(position)::bigint
        AND (m.connection_position IS NULL OR m.connection_position = p.connection_position)
      """)
    var found: [RoomID: [Text: Int64?]] = [:]
    for (room, user) in zip(rooms, users) { found[RoomID(unchecked: room), default: [:]][user] = .some(nil) }
    for row in rows {
      let (room, user, noted) = try row.decode(Text.self, Text.self, Int64.self)
      found[RoomID(unchecked: room), default: [:]][user] = noted
    }
    return found
  }

  // MARK: Writing

  /// Stores what an answer changes.
  ///
  /// - Parameter place: where the request came from; a connection that begins takes the place of one of its name.
  /// - Returns: the new position, or the old one when there is nothing to store; nil when the old one is gone.
  public func store(
    _ changes: SlidingConnectionChanges, of key: SlidingConnection.Key, after place: Place
  ) async throws -> Int64? {
    let now = clock.nowMilliseconds
    guard changes.areWorthStoring(at: now) else { return place.position }
    let record = try await SlidingConnectionRecord(changes, instances, now: now)
    let previous = place.position > 0 ? place.position : nil
    if previous == nil { places.invalidate(key) }
    return try await database.transaction("store_sliding_sync_connection", isolation: .readCommitted) { txn in
      try record.write(to: txn, key, after: previous, mostConnections: Self.mostConnections)
    }
  }

  /// Deletes the connections that were unused for a week.
  public func deleteUnused() async throws {
    let limit = clock.nowMilliseconds - Self.lifetimeMilliseconds
    try await database.run(
      "DELETE FROM sliding_sync_connections WHERE last_used_ts IS NOT NULL AND last_used_ts < \(limit)::bigint")
  }
}
