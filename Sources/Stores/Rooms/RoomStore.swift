import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// A row of table `rooms`.
public struct RoomInfo: Sendable {
  /// The room's id.
  public let roomID: RoomID
  /// The room's version.
  public let version: RoomVersion
  /// The user who made the room, or whose join or invite made it known; nil when that is not recorded.
  public let creator: UserID?
  /// Whether the room is in the public list.
  public let isPublic: Bool
  /// Whether the chain cover of the room's auth events is complete.
  public let hasAuthChainIndex: Bool
}

/// An event that a new one may follow.
public struct PrevEvent: Sendable, Hashable {
  /// The event.
  public let eventID: EventID
  /// Its depth.
  public let depth: Int64
}

/// The tables `rooms`, `event_forward_extremities`, `room_depth`, `room_retention` and `blocked_rooms`.
public final class RoomStore: Sendable {
  let database: PostgresClient
  private let versions: Cache<RoomID, RoomVersion>
  private let extremities: Cache<RoomID, [EventID: Int64]>
  private let blocked: Cache<RoomID, Bool>

  init(_ context: StoreContext) {
    database = context.database
    let caches = context.caches
    versions = caches.cache("get_room_version", capacity: 50_000)
    extremities = caches.cache("get_latest_event_ids_in_room", capacity: 20_000)
    blocked = caches.cache("is_room_blocked", capacity: 20_000)
    caches.register("get_latest_event_ids_in_room", "dr_cache_fake", of: extremities)
    caches.register("is_room_blocked", of: blocked)
    caches.register("dr_cache_fake", of: versions)
    context.follow(.events, for: self) { store, batches in
      for batch in batches {
        for case .event(let event) in batch.rows where !event.isOutlier && !event.isRejected {
          store.invalidateExtremities(event.roomID)
        }
      }
    }
  }

  /// Reads a room's row; nil when there is none.
  ///
  /// - Throws: `MatrixError` 400 `M_UNSUPPORTED_ROOM_VERSION` for a version that is not supported.
  public func room(_ id: RoomID) async throws -> RoomInfo? {
    let found = try await database.run(
      """
      SELECT COALESCE(room_version, '1'), creator, COALESCE(is_public, false), COALESCE(has_auth_chain_index, false)
      FROM rooms WHERE room_id = \(id.rawValue)
      """)
    guard let row = found.first else { return nil }
    let (name, creator, isPublic, hasIndex) = try row.decode(Text.self, Text?.self, Bool.self, Bool.self)
    guard let version = RoomVersion.named(name) else { throw MatrixError.unsupportedRoomVersion() }
    versions.insert(id, version)
    return RoomInfo(
      roomID: id, version: version, creator: creator.map { UserID(unchecked: $0) }, isPublic: isPublic,
      hasAuthChainIndex: hasIndex)
  }

  /// Finds a room's version; nil when the room is not known.
  public func version(of id: RoomID) async throws -> RoomVersion? {
    if let known = versions.peek(id) { return known }
    return try await room(id)?.version
  }

  /// Writes the row of a room that is being created here.
  ///
  /// - Throws: a unique violation when the room exists.
  public func storeRoom(_ id: RoomID, creator: UserID, version: RoomVersion, isPublic: Bool) async throws {
    _ = try await database.run(
      """
      INSERT INTO rooms (room_id, creator, is_public, room_version, has_auth_chain_index)
      VALUES (\(id.rawValue), \(creator.rawValue), \(isPublic)::boolean, \(version.identifier), true)
      """)
    versions.insert(id, version)
  }

  /// Removes the row of a room none of whose events was stored; does nothing when there are any.
  public func removeWithoutEvents(_ id: RoomID) async throws {
    try await database.transaction("remove_empty_room", isolation: .readCommitted) { txn in
      // Transactions that store events keep the row locked, so that the second statement sees them.
      txn.enqueue("SELECT 1 FROM rooms WHERE room_id = \(id.rawValue) FOR UPDATE")
      txn.enqueue(
        """
        DELETE FROM rooms WHERE room_id = \(id.rawValue)
          AND NOT EXISTS (SELECT 1 FROM events WHERE room_id = \(id.rawValue))
        """)
    }
    versions.invalidate(id)
  }

  /// Writes the row of a room that became known by an invite or a knock, unless there is one.
  public func storeOutlierRoom(_ id: RoomID, version: RoomVersion) async throws {
    _ = try await database.run(
      """
      INSERT INTO rooms (room_id, creator, is_public, room_version, has_auth_chain_index)
      VALUES (\(id.rawValue), '', false, \(version.identifier), false) ON CONFLICT (room_id) DO NOTHING
      """)
  }

  /// Puts a room into the public list or takes it out.
  ///
  /// - Returns: whether the room exists.
  public func setPublic(_ id: RoomID, _ isPublic: Bool) async throws -> Bool {
    let found = try await database.run(
      "UPDATE rooms SET is_public = \(isPublic)::boolean WHERE room_id = \(id.rawValue) RETURNING 1::bigint")
    return !found.isEmpty
  }

  /// Returns whether an administrator has blocked a room.
  public func isBlocked(_ id: RoomID) async throws -> Bool {
    try await blocked.value(id) { [database] in
      !(try await database.run("SELECT 1::bigint FROM blocked_rooms WHERE room_id = \(id.rawValue)")).isEmpty
    }
  }

  // MARK: the edges of a room's graph

  /// Lists the events of a room that no other accepted event follows, with their depths.
  ///
  /// On the process that writes the room's events the answer is always in memory.
  public func forwardExtremities(_ id: RoomID) async throws -> [EventID: Int64] {
    try await extremities.value(id) { [database] in
      let found = try await database.run(
        """
        SELECT f.event_id, e.depth FROM event_forward_extremities AS f JOIN events AS e ON e.event_id = f.event_id
        WHERE f.room_id = \(id.rawValue)
        """)
      var depths: [EventID: Int64] = [:]
      for row in found {
        let (event, depth) = try row.decode(Text.self, Int64.self)
        depths[EventID(unchecked: event)] = depth
      }
      return depths
    }
  }

  /// Lists the events that a new one should follow: up to ten extremities, deepest first.
  public func prevEventsForNewEvent(_ id: RoomID) async throws -> [PrevEvent] {
    let sorted = try await forwardExtremities(id).sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    return sorted.prefix(10).map { PrevEvent(eventID: $0.key, depth: $0.value) }
  }

  /// Finds the least depth among a room's timeline events; nil when there are none.
  public func minimumDepth(_ id: RoomID) async throws -> Int64? {
    let found = try await database.run("SELECT min_depth FROM room_depth WHERE room_id = \(id.rawValue)")
    return try found.first?.get(0, as: Int64?.self)
  }

  /// Remembers the extremities that were just committed, with their depths.
  public func prefillExtremities(_ id: RoomID, _ events: [EventID: Int64]) { extremities.insert(id, events) }

  /// Drops what is remembered about a room's extremities, as when another process has written an event.
  public func invalidateExtremities(_ id: RoomID) { extremities.invalidate(id) }
}
