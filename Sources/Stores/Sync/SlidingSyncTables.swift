import MatrixEvents
import MatrixPrimitives
import Postgres

/// The two tables from which room lists are made: `sliding_sync_joined_rooms` and
/// `sliding_sync_membership_snapshots`. Their columns and rules are as Synapse fills them.
package enum SlidingSyncTables {
  /// The types of events that bring a room to the top of lists.
  private static let bumpTypes: Set<Text> = [
    EventType.create, EventType.message, EventType.encrypted, "m.sticker", "m.call.invite",
    "m.poll.start", "m.beacon_info",
  ]

  /// Returns whether an event of a type brings its room to the top of lists.
  package static func isBump(_ type: Text) -> Bool { bumpTypes.contains(type) }

  /// The types of events that bring a room to the top of lists, for a condition.
  package static var bumps: [Text] { bumpTypes.sorted() }

  /// What the tables keep of a room's state; a nil column is left as it is.
  private struct RoomColumns {
    var roomType: Text??
    var name: Text??
    var isEncrypted: Bool?
    var successor: Text??

    var isEmpty: Bool { roomType == nil && name == nil && isEncrypted == nil && successor == nil }

    mutating func read(_ type: Text, _ content: JSONValue) {
      switch type {
      case EventType.create: roomType = Self.text(content["type"])
      case EventType.name: name = Self.text(content["name"])
      case EventType.encryption: isEncrypted = content["algorithm"].map { !$0.isNull } ?? false
      case EventType.tombstone: successor = Self.text(content["replacement_room"])
      default: break
      }
    }

    /// Returns the text, nothing where there is none, and "leave it" for values that cannot be kept.
    private static func text(_ value: JSONValue?) -> Text?? {
      guard let value, !value.isNull else { return .some(nil) }
      guard let text = value.string, !text.utf8.contains(0) else { return .none }
      return .some(text)
    }
  }

  // MARK: rooms

  /// Records the newest event of each room, and the newest one that brings the room to the top of lists.
  ///
  /// - Parameter rooms: the new events in the timeline, by rooms.
  package static func enqueuePositions(_ rooms: [(room: RoomID, events: [NewEvent])], in txn: Transaction) {
    var (names, lasts, bumps): ([Text], [Int64], [Int64?]) = ([], [], [])
    for (room, events) in rooms {
      guard let last = events.map(\.stored.streamOrdering).max() else { continue }
      names.append(room.rawValue)
      lasts.append(last)
      bumps.append(events.filter { bumpTypes.contains($0.event.type) }.map(\.stored.streamOrdering).max())
    }
    guard !names.isEmpty else { return }
    txn.enqueue(
      """
      UPDATE sliding_sync_joined_rooms AS s SET
        event_stream_ordering = GREATEST(s.event_stream_ordering, q.last),
        bump_stamp = GREATEST(s.bump_stamp, q.bump)
      FROM unnest(\(names)::text[], \(lasts)::bigint[], \(bumps)::bigint[]) AS q(room_id, last, bump)
      WHERE s.room_id = q.room_id
      """)
  }

  /// Writes what changed of a joined room; a room without a row gets one from its whole state.
  ///
  /// - Parameters:
  ///   - inserted: the entries of the current state that are set.
  ///   - removed: those that are removed.
  ///   - given: the events of the batch.
  ///   - stored: those of them that are new or have a new place.
  package static func enqueueJoinedRoom(
    _ roomID: RoomID, inserted: StateMap, removed: [StateKey], given: [Event], stored: [EventID], in txn: Transaction
  ) {
    var columns = RoomColumns()
    let batch = Dictionary(given.map { ($0.eventID, $0) }) { first, _ in first }
    var others: [EventID] = []
    for type in [EventType.create, EventType.name, EventType.encryption, EventType.tombstone] {
      guard let id = inserted[StateKey(type)] else { continue }
      if let event = batch[id] { columns.read(type, event.content) } else { others.append(id) }
    }
    for key in removed where key.stateKey.isEmpty {
      switch key.type {
      case EventType.create: columns.roomType = .some(nil)
      case EventType.name: columns.name = .some(nil)
      case EventType.encryption: columns.isEncrypted = false
      default: break
      }
    }
    if inserted[StateKey(EventType.create)] == nil || !others.isEmpty {
      enqueueMissingRoom(roomID, refreshing: !others.isEmpty, in: txn)
      if columns.isEmpty { return }
    }
    let room = roomID.rawValue
    txn.enqueue(
      """
      INSERT INTO sliding_sync_joined_rooms AS s
        (room_id, event_stream_ordering, bump_stamp, room_type, room_name, is_encrypted, tombstone_successor_room_id)
      SELECT \(room), max(e.stream_ordering), max(e.stream_ordering) FILTER (WHERE e.type = ANY(\(bumpTypes.sorted())::text[])),
        \(columns.roomType ?? nil)::text, \(columns.name ?? nil)::text, \(columns.isEncrypted ?? false)::boolean,
        \(columns.successor ?? nil)::text
      FROM events AS e WHERE e.event_id = ANY(\(stored.map(\.rawValue))::text[])
      ON CONFLICT (room_id) DO UPDATE SET
        room_type = CASE WHEN \(columns.roomType != nil)::boolean THEN EXCLUDED.room_type ELSE s.room_type END,
        room_name = CASE WHEN \(columns.name != nil)::boolean THEN EXCLUDED.room_name ELSE s.room_name END,
        is_encrypted = CASE WHEN \(columns.isEncrypted != nil)::boolean THEN EXCLUDED.is_encrypted ELSE s.is_encrypted END,
        tombstone_successor_room_id = CASE WHEN \(columns.successor != nil)::boolean
          THEN EXCLUDED.tombstone_successor_room_id ELSE s.tombstone_successor_room_id END
      """)
  }

  /// Writes a room's row from its current state, where there is none yet (a room joined again, a database on its way from
  /// an older version) or where the state went back to events that are not of this batch.
  private static func enqueueMissingRoom(_ roomID: RoomID, refreshing: Bool, in txn: Transaction) {
    let room = roomID.rawValue
    let action: SQL =
      refreshing
      ? """
      DO UPDATE SET room_type = EXCLUDED.room_type, room_name = EXCLUDED.room_name,
        is_encrypted = EXCLUDED.is_encrypted, tombstone_successor_room_id = EXCLUDED.tombstone_successor_room_id
      """ : "DO NOTHING"
    let skip: SQL =
      refreshing ? "" : "AND NOT EXISTS (SELECT 1 FROM sliding_sync_joined_rooms WHERE room_id = \(room))"
    // The database refuses U+0000 in JSON and nothing else that an event may have; such an event counts as one without a text.
    func content(_ type: Text, _ key: Text) -> SQL {
      """
      (SELECT j.json::jsonb #>> ARRAY['content', \(key)::text] FROM current_state_events AS c
        JOIN event_json AS j ON j.event_id = c.event_id
        WHERE c.room_id = \(room) AND c.type = \(type) AND c.state_key = '' AND strpos(j.json, '\\u0000') = 0)
      """
    }
    txn.enqueue(
      """
      INSERT INTO sliding_sync_joined_rooms
        (room_id, event_stream_ordering, bump_stamp, room_type, room_name, is_encrypted, tombstone_successor_room_id)
      SELECT \(room),
        (SELECT max(stream_ordering) FROM events WHERE room_id = \(room)),
        (SELECT max(stream_ordering) FROM events
          WHERE room_id = \(room) AND type = ANY(\(bumpTypes.sorted())::text[]) AND NOT outlier AND stream_ordering > 0),
        \(content(EventType.create, "type")), \(content(EventType.name, "name")),
        \(content(EventType.encryption, "algorithm")) IS NOT NULL, \(content(EventType.tombstone, "replacement_room"))
      WHERE EXISTS (SELECT 1 FROM current_state_events WHERE room_id = \(room)) \(skip)
      ON CONFLICT (room_id) \(action)
      """)
  }

  // MARK: memberships

  /// Writes the local users' relations to the room, with what is known of the room's state at that moment. When the server is no
  /// longer in the room, what was known before stays.
  package static func enqueueSnapshots(
    _ users: [(user: Text, event: Text)], room: RoomID, in txn: Transaction
  ) {
    guard !users.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO sliding_sync_membership_snapshots AS s
        (room_id, user_id, sender, membership_event_id, membership, forgotten, event_stream_ordering,
          event_instance_name, has_known_state, room_type, room_name, is_encrypted, tombstone_successor_room_id)
      SELECT \(room.rawValue), q.user_id, m.sender, q.id, m.membership, 0, e.stream_ordering,
        COALESCE(e.instance_name, 'master'), j.room_id IS NOT NULL, j.room_type, j.room_name,
        COALESCE(j.is_encrypted, false), j.tombstone_successor_room_id
      FROM unnest(\(users.map(\.user))::text[], \(users.map(\.event))::text[]) AS q(user_id, id)
      JOIN events AS e ON e.event_id = q.id
      JOIN room_memberships AS m ON m.event_id = q.id
      LEFT JOIN sliding_sync_joined_rooms AS j ON j.room_id = e.room_id
      ON CONFLICT (room_id, user_id) DO UPDATE SET
        sender = EXCLUDED.sender, membership_event_id = EXCLUDED.membership_event_id,
        membership = EXCLUDED.membership, forgotten = EXCLUDED.forgotten,
        event_stream_ordering = EXCLUDED.event_stream_ordering,
        event_instance_name = EXCLUDED.event_instance_name,
        has_known_state = s.has_known_state OR EXCLUDED.has_known_state,
        room_type = CASE WHEN EXCLUDED.has_known_state THEN EXCLUDED.room_type ELSE s.room_type END,
        room_name = CASE WHEN EXCLUDED.has_known_state THEN EXCLUDED.room_name ELSE s.room_name END,
        is_encrypted = CASE WHEN EXCLUDED.has_known_state THEN EXCLUDED.is_encrypted ELSE s.is_encrypted END,
        tombstone_successor_room_id = CASE WHEN EXCLUDED.has_known_state
          THEN EXCLUDED.tombstone_successor_room_id ELSE s.tombstone_successor_room_id END
      """)
  }

  /// Writes a local user's relation to a room that the server is not in, from the state that came with the invite or knock.
  static func enqueueOutOfBand(
    _ event: NewEvent, user: Text, membership: Text, roomID: RoomID, in txn: Transaction
  ) {
    var columns = RoomColumns()
    var hasCreate = false
    let stripped = event.event.unsigned?[membership == "knock" ? "knock_room_state" : "invite_room_state"]?.elements
    for state in stripped?.map({ $0 }) ?? [] {
      guard let type = state["type"]?.string, state["state_key"]?.string == "", let content = state["content"] else {
        continue
      }
      columns.read(type, content)
      if type == EventType.create { hasCreate = true }
    }
    if !hasCreate { columns = RoomColumns() }
    // A leave inherits the data of the invite or knock.
    let inherits = membership == "leave"
    txn.enqueue(
      """
      INSERT INTO sliding_sync_membership_snapshots AS s
        (room_id, user_id, sender, membership_event_id, membership, forgotten, event_stream_ordering,
          event_instance_name, has_known_state, room_type, room_name, is_encrypted, tombstone_successor_room_id)
      VALUES (\(roomID.rawValue), \(user), \(event.event.sender.rawValue), \(event.id), \(membership), 0,
        \(event.stored.streamOrdering)::bigint, \(event.stored.instanceName), \(hasCreate)::boolean,
        \(columns.roomType ?? nil)::text, \(columns.name ?? nil)::text, \(columns.isEncrypted ?? false)::boolean,
        \(columns.successor ?? nil)::text)
      ON CONFLICT (room_id, user_id) DO UPDATE SET
        sender = EXCLUDED.sender, membership_event_id = EXCLUDED.membership_event_id,
        membership = EXCLUDED.membership, forgotten = EXCLUDED.forgotten,
        event_stream_ordering = EXCLUDED.event_stream_ordering, event_instance_name = EXCLUDED.event_instance_name,
        has_known_state = CASE WHEN \(inherits)::boolean THEN s.has_known_state ELSE EXCLUDED.has_known_state END,
        room_type = CASE WHEN \(inherits)::boolean THEN s.room_type ELSE EXCLUDED.room_type END,
        room_name = CASE WHEN \(inherits)::boolean THEN s.room_name ELSE EXCLUDED.room_name END,
        is_encrypted = CASE WHEN \(inherits)::boolean THEN s.is_encrypted ELSE EXCLUDED.is_encrypted END,
        tombstone_successor_room_id = CASE WHEN \(inherits)::boolean
          THEN s.tombstone_successor_room_id ELSE EXCLUDED.tombstone_successor_room_id END
      """)
  }
}
