import MatrixEvents
import MatrixPrimitives
import Postgres

/// What a transaction that writes events writes about memberships.
extension MembershipStore {
  /// Writes the memberships that a room's events state, current or not.
  package static func enqueue(_ members: [NewEvent], room: RoomID, in txn: Transaction) {
    guard !members.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO room_memberships
        (event_id, event_stream_ordering, user_id, sender, room_id, membership, display_name, avatar_url)
      SELECT q.id, q.stream, q.user_id, q.sender, \(room.rawValue), q.membership, q.name, q.avatar
      FROM unnest(\(members.map(\.id))::text[], \(members.map(\.stored.streamOrdering))::bigint[],
        \(members.map { $0.event.stateKey ?? "" })::text[], \(members.map(\.event.sender.rawValue))::text[],
        \(members.map { $0.event.membership ?? "" })::text[],
        \(members.map { text($0.event.content["displayname"]) })::text[],
        \(members.map { text($0.event.content["avatar_url"]) })::text[])
        AS q(id, stream, user_id, sender, membership, name, avatar)
      """)
  }

  /// Returns a string without NUL, which text columns cannot hold; nil for anything else.
  private static func text(_ value: JSONValue?) -> Text? {
    guard let text = value?.string, !text.utf8.contains(0) else { return nil }
    return text
  }

  /// Writes the membership of a local user in a room that the server is not in.
  package static func enqueueOutOfBand(_ event: NewEvent, user: Text, room: RoomID, in txn: Transaction) {
    let membership = event.event.membership ?? ""
    txn.enqueue(
      """
      INSERT INTO local_current_membership (room_id, user_id, event_id, membership, event_stream_ordering)
      VALUES (\(room.rawValue), \(user), \(event.id), \(membership), \(event.stored.streamOrdering)::bigint)
      ON CONFLICT (user_id, room_id) DO UPDATE SET event_id = EXCLUDED.event_id, membership = EXCLUDED.membership,
        event_stream_ordering = EXCLUDED.event_stream_ordering
      """)
    SlidingSyncTables.enqueueOutOfBand(event, user: user, membership: membership, roomID: room, in: txn)
  }

  /// Writes the current memberships of local users, by the stored events that set them.
  package static func enqueueCurrent(_ users: [(user: Text, event: Text)], room: RoomID, in txn: Transaction) {
    guard !users.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO local_current_membership (room_id, user_id, event_id, membership, event_stream_ordering)
      SELECT \(room.rawValue), q.user_id, q.id, m.membership, e.stream_ordering
      FROM unnest(\(users.map(\.user))::text[], \(users.map(\.event))::text[]) AS q(user_id, id)
      JOIN events AS e ON e.event_id = q.id JOIN room_memberships AS m ON m.event_id = q.id
      ON CONFLICT (user_id, room_id) DO UPDATE SET event_id = EXCLUDED.event_id, membership = EXCLUDED.membership,
        event_stream_ordering = EXCLUDED.event_stream_ordering
      """)
  }

  /// Removes local users' current memberships of a room.
  package static func enqueueRemoval(of users: [Text], room: RoomID, in txn: Transaction) {
    guard !users.isEmpty else { return }
    txn.enqueue(
      "DELETE FROM local_current_membership WHERE room_id = \(room.rawValue) AND user_id = ANY(\(users)::text[])")
    txn.enqueue(
      """
      DELETE FROM sliding_sync_membership_snapshots
      WHERE room_id = \(room.rawValue) AND user_id = ANY(\(users)::text[])
      """)
  }

  /// Marks users as taking part in rooms.
  package static func enqueueParticipation(_ participants: [(roomID: RoomID, userID: UserID)], in txn: Transaction) {
    guard !participants.isEmpty else { return }
    let rooms = participants.map(\.roomID.rawValue)
    txn.enqueue(
      """
      UPDATE room_memberships SET participant = true
      WHERE NOT participant AND event_id IN (
        SELECT m.event_id
        FROM unnest(\(rooms)::text[], \(participants.map(\.userID.rawValue))::text[]) AS q(room_id, user_id)
        JOIN local_current_membership AS m ON m.room_id = q.room_id AND m.user_id = q.user_id)
      """)
  }
}
