import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

extension RoomWriter {
  private var server: Text { plan.storage.config.serverName }

  private func isLocal(_ user: Text) -> Bool { UserID(unchecked: user).serverName == server }

  // MARK: memberships

  /// Writes the memberships that the batch's events state, current or not.
  func writeMemberships() {
    let members = plan.accepted.filter { $0.event.type == EventType.member && $0.event.stateKey != nil }
    guard !members.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO room_memberships
        (event_id, event_stream_ordering, user_id, sender, room_id, membership, display_name, avatar_url)
      SELECT q.id, q.stream, q.user_id, q.sender, \(plan.roomID.rawValue), q.membership, q.name, q.avatar
      FROM unnest(\(members.map(\.id))::text[], \(members.map(\.stored.streamOrdering))::bigint[],
        \(members.map { $0.event.stateKey ?? "" })::text[], \(members.map(\.event.sender.rawValue))::text[],
        \(members.map { $0.event.membership ?? "" })::text[],
        \(members.map { Self.text($0.event.content["displayname"]) })::text[],
        \(members.map { Self.text($0.event.content["avatar_url"]) })::text[])
        AS q(id, stream, user_id, sender, membership, name, avatar)
      """)
    if plan.backfilled { return }
    for event in members where event.item.isOutlier && event.item.metadata.outOfBandMembership {
      guard let user = event.event.stateKey, isLocal(user) else { continue }
      writeOutOfBandMembership(event, user: user)
    }
  }

  /// Returns a string without NUL, which text columns cannot hold; nil for anything else.
  static func text(_ value: JSONValue?) -> Text? {
    guard let text = value?.string, !text.utf8.contains(0) else { return nil }
    return text
  }

  /// Writes the membership of a local user in a room that the server is not in.
  private func writeOutOfBandMembership(_ event: NewEvent, user: Text) {
    let membership = event.event.membership ?? ""
    txn.enqueue(
      """
      INSERT INTO local_current_membership (room_id, user_id, event_id, membership, event_stream_ordering)
      VALUES (\(plan.roomID.rawValue), \(user), \(event.id), \(membership), \(event.stored.streamOrdering)::bigint)
      ON CONFLICT (user_id, room_id) DO UPDATE SET event_id = EXCLUDED.event_id, membership = EXCLUDED.membership,
        event_stream_ordering = EXCLUDED.event_stream_ordering
      """)
    SlidingSyncTables.enqueueOutOfBand(event, user: user, membership: membership, roomID: plan.roomID, in: txn)
  }

  // MARK: current state

  /// Changes the current state and what is derived from it. Comes after the events and memberships, to which it refers.
  func writeCurrentState() {
    guard let change = plan.change.state, let stream = plan.stateStream else { return }
    if change.leavesRoom {
      SlidingSyncTables.enqueueSnapshots(snapshotUsers(change), plan: plan, in: txn)
      clearCurrentState(stream: stream)
    } else {
      changeCurrentState(change, stream: stream)
      SlidingSyncTables.enqueueJoinedRoom(change, plan: plan, in: txn)
      SlidingSyncTables.enqueueSnapshots(snapshotUsers(change), plan: plan, in: txn)
    }
    changeLocalMemberships(change)
  }

  /// Lists the local users whose membership is set, with the event that sets it.
  private func snapshotUsers(_ change: CurrentStateChange) -> [(user: Text, event: Text)] {
    change.inserted.filter { $0.key.type == EventType.member && isLocal($0.key.stateKey) }
      .map { ($0.key.stateKey, $0.value.rawValue) }.sorted { $0.0 < $1.0 }
  }

  private func clearCurrentState(stream: Int64) {
    let room = plan.roomID.rawValue
    txn.enqueue(
      """
      INSERT INTO current_state_delta_stream
        (stream_id, instance_name, room_id, type, state_key, event_id, prev_event_id)
      SELECT \(stream)::bigint, \(plan.instanceName), room_id, type, state_key, NULL, event_id
      FROM current_state_events WHERE room_id = \(room)
      """)
    txn.enqueue("DELETE FROM current_state_events WHERE room_id = \(room)")
    txn.enqueue("DELETE FROM sliding_sync_joined_rooms WHERE room_id = \(room)")
  }

  private func changeCurrentState(_ change: CurrentStateChange, stream: Int64) {
    let room = plan.roomID.rawValue
    let keys = change.keys
    let types = keys.map(\.type)
    let stateKeys = keys.map(\.stateKey)
    txn.enqueue(
      """
      INSERT INTO current_state_delta_stream
        (stream_id, instance_name, room_id, type, state_key, event_id, prev_event_id)
      SELECT \(stream)::bigint, \(plan.instanceName), \(room), q.type, q.state_key, q.id, c.event_id
      FROM unnest(\(types)::text[], \(stateKeys)::text[], \(keys.map { change.inserted[$0]?.rawValue })::text[])
        AS q(type, state_key, id)
      LEFT JOIN current_state_events AS c
        ON c.room_id = \(room) AND c.type = q.type AND c.state_key = q.state_key
      """)
    txn.enqueue(
      """
      DELETE FROM current_state_events AS c USING unnest(\(types)::text[], \(stateKeys)::text[]) AS q(type, state_key)
      WHERE c.room_id = \(room) AND c.type = q.type AND c.state_key = q.state_key
      """)
    let inserted = change.inserted.sorted { $0.key < $1.key }
    guard !inserted.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO current_state_events (room_id, type, state_key, event_id, membership, event_stream_ordering)
      SELECT \(room), q.type, q.state_key, q.id, m.membership, e.stream_ordering
      FROM unnest(\(inserted.map(\.key.type))::text[], \(inserted.map(\.key.stateKey))::text[],
        \(inserted.map(\.value.rawValue))::text[]) AS q(type, state_key, id)
      LEFT JOIN events AS e ON e.event_id = q.id
      LEFT JOIN room_memberships AS m ON m.event_id = q.id
      """)
  }

  private func changeLocalMemberships(_ change: CurrentStateChange) {
    let room = plan.roomID.rawValue
    let touched = change.keys.filter { $0.type == EventType.member && isLocal($0.stateKey) }.map(\.stateKey)
    guard !touched.isEmpty else { return }
    let set = snapshotUsers(change)
    let removed = Set(touched).subtracting(set.map(\.user)).sorted()
    if !removed.isEmpty {
      txn.enqueue(
        "DELETE FROM local_current_membership WHERE room_id = \(room) AND user_id = ANY(\(removed)::text[])")
      txn.enqueue(
        """
        DELETE FROM sliding_sync_membership_snapshots WHERE room_id = \(room) AND user_id = ANY(\(removed)::text[])
        """)
    }
    guard !set.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO local_current_membership (room_id, user_id, event_id, membership, event_stream_ordering)
      SELECT \(room), q.user_id, q.id, m.membership, e.stream_ordering
      FROM unnest(\(set.map(\.user))::text[], \(set.map(\.event))::text[]) AS q(user_id, id)
      JOIN events AS e ON e.event_id = q.id JOIN room_memberships AS m ON m.event_id = q.id
      ON CONFLICT (user_id, room_id) DO UPDATE SET event_id = EXCLUDED.event_id, membership = EXCLUDED.membership,
        event_stream_ordering = EXCLUDED.event_stream_ordering
      """)
  }
}
