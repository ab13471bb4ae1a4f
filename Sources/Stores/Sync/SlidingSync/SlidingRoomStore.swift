import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// What lists of rooms are made from (`sliding_sync_joined_rooms`, `sliding_sync_membership_snapshots`), and the members after whom rooms are called.
///
/// All answers are for many rooms in one statement; those about rooms follow the rows of the `events` stream.
public final class SlidingRoomStore: Sendable {
  /// What lists are ordered and filtered by.
  public struct Room: Sendable {
    /// The place of the room's newest event in the events stream.
    public var lastEvent: Int64
    /// The place of the newest event that brings the room to the top of lists; nil when there is none.
    public var bumpStamp: Int64?
    /// The room's type; nil for an ordinary room.
    public let type: Text?
    /// The room's name; nil when it has none.
    public let name: Text?
    /// Whether the room is encrypted.
    public let isEncrypted: Bool
  }

  /// What was known of a room when a user got a membership by which it is not seen.
  public struct Snapshot: Sendable {
    /// Whether anything was known.
    public let hasKnownState: Bool
    /// The room's type; nil for an ordinary room.
    public let type: Text?
    /// The room's name; nil when it has none.
    public let name: Text?
    /// Whether the room is encrypted.
    public let isEncrypted: Bool
  }

  /// The numbers of a room's members.
  public struct MemberCounts: Sendable, Hashable {
    /// Those in the room.
    public var joined = 0
    /// Those invited.
    public var invited = 0
  }

  /// A member by whom a room without a name may be called.
  public struct NamingMember: Sendable, Hashable {
    /// The member.
    public let user: UserID
    /// The membership, as in the event.
    public let membership: Text
    /// The membership event.
    public let eventID: EventID
  }

  let database: PostgresClient
  private let rooms: Cache<RoomID, Room?>
  private let snapshots: Cache<EventID, Snapshot>
  private let counts: Cache<RoomID, MemberCounts>

  /// Makes the store; nothing is read yet.
  public init(_ context: StoreContext) {
    database = context.database
    let caches = context.caches
    rooms = caches.cache("*sliding_sync_joined_rooms*", byteBudget: 16 << 20) { _, room in
      160 + (room?.name?.utf8.count ?? 0) + (room?.type?.utf8.count ?? 0)
    }
    // A snapshot belongs to its membership event and stays as it is.
    snapshots = caches.cache("*sliding_sync_membership_snapshots*", capacity: 20_000)
    counts = caches.cache("get_member_counts", capacity: 50_000)
    context.follow(.events, for: self) { store, batches in
      for batch in batches { for row in batch.rows { store.apply(row, at: batch.token) } }
    }
    caches.register("get_member_counts", of: counts)
    caches.register("dr_cache_fake") { [rooms, counts] keys in
      for room in keys?.prefix(1) ?? [] {
        rooms.invalidate(RoomID(unchecked: room))
        counts.invalidate(RoomID(unchecked: room))
      }
    }
    caches.register("ph_cache_fake") { [rooms] _ in rooms.invalidateAll() }
  }

  private func apply(_ row: StreamRow, at token: Int64) {
    switch row {
    case .event(let event):
      guard !event.isRejected, !event.isOutlier else { return }
      guard case .some(.some(var room)) = rooms.peek(event.roomID) else { return rooms.invalidate(event.roomID) }
      room.lastEvent = max(room.lastEvent, token)
      if SlidingSyncTables.isBump(event.type) { room.bumpStamp = max(room.bumpStamp ?? token, token) }
      rooms.insert(event.roomID, room)
    case .eventState(let state):
      switch state.type {
      case EventType.member: counts.invalidate(state.roomID)
      case EventType.create, EventType.name, EventType.encryption: rooms.invalidate(state.roomID)
      default: break
      }
    case .eventStateAll(let room):
      counts.invalidate(room)
      rooms.invalidate(room)
    default: break
    }
  }

  // MARK: Lists

  /// Reads what lists are made from of rooms in which the server is; others are absent.
  public func rooms(_ wanted: [RoomID]) async throws -> [RoomID: Room] {
    guard !wanted.isEmpty else { return [:] }
    return try await rooms.values(wanted) { [database] missing in
      let rows = try await database.run(
        """
        SELECT room_id, event_stream_ordering, bump_stamp, room_type, room_name, is_encrypted
        FROM sliding_sync_joined_rooms WHERE room_id = ANY(\(missing.map(\.rawValue))::text[])
        """)
      var found = Dictionary(missing.map { ($0, Room?.none) }) { first, _ in first }
      for row in rows {
        let (room, last, bump, type, name, encrypted) = try row.decode(
          Text.self, Int64.self, Int64?.self, Text?.self, Text?.self, Bool.self)
        found[RoomID(unchecked: room)] = Room(
          lastEvent: last, bumpStamp: bump, type: type, name: name, isEncrypted: encrypted)
      }
      return found
    }.compactMapValues { $0 }
  }

  /// Reads what was known of rooms that a user does not see, by the membership events.
  ///
  /// - Parameter memberships: the user's memberships, which are no joins.
  public func snapshots(_ memberships: [RoomForUser], of user: UserID) async throws -> [EventID: Snapshot] {
    guard !memberships.isEmpty else { return [:] }
    let rooms = Dictionary(memberships.map { ($0.eventID, $0.roomID.rawValue) }) { first, _ in first }
    return try await snapshots.values(memberships.map(\.eventID)) { [database] missing in
      let rows = try await database.run(
        """
        SELECT membership_event_id, has_known_state, room_type, room_name, is_encrypted
        FROM sliding_sync_membership_snapshots
        WHERE user_id = \(user.rawValue) AND room_id = ANY(\(missing.compactMap { rooms[$0] })::text[])
        """)
      var found: [EventID: Snapshot] = [:]
      for row in rows {
        let (event, known, type, name, encrypted) = try row.decode(
          Text.self, Bool.self, Text?.self, Text?.self, Bool.self)
        found[EventID(unchecked: event)] = Snapshot(
          hasKnownState: known, type: type, name: name, isEncrypted: encrypted)
      }
      return found
    }
  }

  // MARK: Members

  /// Counts the members of rooms.
  public func memberCounts(_ wanted: [RoomID]) async throws -> [RoomID: MemberCounts] {
    guard !wanted.isEmpty else { return [:] }
    return try await counts.values(wanted) { [database] missing in
      let rows = try await database.run(
        """
        SELECT room_id, count(*) FILTER (WHERE membership = 'join'), count(*) FILTER (WHERE membership = 'invite')
        FROM current_state_events
        WHERE room_id = ANY(\(missing.map(\.rawValue))::text[]) AND type = 'm.room.member' GROUP BY room_id
        """)
      var found = Dictionary(missing.map { ($0, MemberCounts()) }) { first, _ in first }
      for row in rows {
        let (room, joined, invited) = try row.decode(Text.self, Int64.self, Int64.self)
        found[RoomID(unchecked: room)] = MemberCounts(joined: Int(clamping: joined), invited: Int(clamping: invited))
      }
      return found
    }
  }

  /// Reads for each room the six members by whom it is called when it has no name: those joined come first, then those invited, then those who
  /// have left, then all others, each in the order in which they came.
  public func namingMembers(of wanted: [RoomID]) async throws -> [RoomID: [NamingMember]] {
    guard !wanted.isEmpty else { return [:] }
    let rows = try await database.run(
      """
      SELECT q.room_id, m.state_key, m.membership, m.event_id FROM unnest(\(wanted.map(\.rawValue))::text[]) AS q (room_id),
      LATERAL (
        SELECT c.state_key, c.membership, c.event_id FROM current_state_events AS c
        WHERE c.room_id = q.room_id AND c.type = 'm.room.member' AND c.membership IS NOT NULL
        ORDER BY CASE c.membership WHEN 'join' THEN 1 WHEN 'invite' THEN 2 WHEN 'leave' THEN 3 ELSE 4 END,
          c.event_stream_ordering
        LIMIT 6
      ) AS m
      """)
    var members: [RoomID: [NamingMember]] = [:]
    for row in rows {
      let (room, user, membership, event) = try row.decode(Text.self, Text.self, Text.self, Text.self)
      members[RoomID(unchecked: room), default: []].append(
        NamingMember(user: UserID(unchecked: user), membership: membership, eventID: EventID(unchecked: event)))
    }
    return members
  }
}
