import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

extension PersistWriter {
  /// Writes the events themselves.
  func writeEvents() {
    guard let plan = plans.first, !fresh.isEmpty else { return }
    let events = fresh
    let ids = events.map(\.id)
    let rooms = events.map(\.event.roomID.rawValue)
    txn.enqueue(
      """
      INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version)
      SELECT * FROM unnest(\(ids)::text[], \(rooms)::text[], \(events.map(\.item.metadata.encoded))::text[],
        \(events.map { Self.storedJSON($0.event) })::text[], \(events.map { Self.format(of: $0.event.version) })::int[])
      """)
    txn.enqueue(
      """
      INSERT INTO events (instance_name, processed, received_ts, event_id, room_id, stream_ordering,
        topological_ordering, depth, type, outlier, origin_server_ts, sender, contains_url, state_key, rejection_reason)
      SELECT \(plan.instanceName), true, \(plan.now)::bigint, q.id, q.room_id, q.stream, q.depth, q.depth, q.type, q.outlier,
        q.time, q.sender, q.has_url, q.state_key, q.rejected
      FROM unnest(\(ids)::text[], \(rooms)::text[], \(events.map(\.stored.streamOrdering))::bigint[],
        \(events.map(\.event.depth))::bigint[], \(events.map(\.event.type))::text[],
        \(events.map(\.item.isOutlier))::boolean[], \(events.map(\.event.originServerTS))::bigint[],
        \(events.map(\.event.sender.rawValue))::text[], \(events.map { $0.event.content["url"]?.string != nil })::boolean[],
        \(events.map(\.event.stateKey))::text[], \(events.map(\.item.context.rejected))::text[])
        AS q(id, room_id, stream, depth, type, outlier, time, sender, has_url, state_key, rejected)
      """)
    writeStateEvents()
    // Redactions that came before the event they aim at must be applied to the stored JSON later on.
    let whole = plans.filter { !$0.change.isPlain }.flatMap(\.fresh).filter { !$0.item.metadata.redacted }
    let redactable = whole.map(\.id)
    guard !redactable.isEmpty else { return }
    txn.enqueue("UPDATE redactions SET have_censored = FALSE WHERE redacts = ANY(\(redactable)::text[])")
  }

  private func writeStateEvents() {
    let states = fresh.filter(\.event.isState)
    guard !states.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO state_events (event_id, room_id, type, state_key)
      SELECT * FROM unnest(\(states.map(\.id))::text[], \(states.map(\.event.roomID.rawValue))::text[],
        \(states.map(\.event.type))::text[], \(states.map { $0.event.stateKey ?? "" })::text[])
      """)
  }

  /// Returns the number by which Synapse tells the formats of events apart.
  static func format(of version: RoomVersion) -> Int64 {
    switch version.eventIDFormat {
    case .chosen: 1
    case .hash: 2
    case .urlSafeHash: version.isRoomIDCreateHash ? 4 : 3
    }
  }

  private static func storedJSON(_ event: Event) -> SQLText { SQLText(bytes: Array(event.json.raw)) }

  /// Records with which transaction a device sent an event, so that a repeated request finds it; a device that has been
  /// deleted meanwhile cannot repeat anything. The lock waits for a deletion under way, which the foreign key would trip over.
  func writeTransactionIDs() {
    let sent = plans.flatMap { plan in
      plan.fresh.compactMap { event in
        plan.known.transactionNames[event.stored.eventID].flatMap { name in
          event.item.metadata.deviceID.map { (event: event, device: $0, name: name) }
        }
      }
    }
    guard let now = plans.first?.now, !sent.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_txn_id_device_id (event_id, room_id, user_id, device_id, txn_id, inserted_ts)
      SELECT q.id, q.room_id, q.sender, q.device, q.txn, \(now)::bigint
      FROM unnest(\(sent.map(\.event.id))::text[], \(sent.map(\.event.event.roomID.rawValue))::text[],
        \(sent.map(\.event.event.sender.rawValue))::text[], \(sent.map(\.device))::text[], \(sent.map(\.name))::text[])
        AS q(id, room_id, sender, device, txn)
      JOIN devices AS d ON d.user_id = q.sender AND d.device_id = q.device
      FOR KEY SHARE OF d
      """)
  }

  // MARK: push

  /// Writes what push rules want done: given with the event, or staged by another process.
  func writePushActions(_ store: PushActionStore, orphans: PushActionOrphans) {
    let notifiable = accepted.filter { Self.mayNotify($0.item) }
    // A redaction removes actions, maybe those of an event of the same group, which it must see therefore.
    let mayGoBeside = plans.allSatisfy(\.redactedEvents.isEmpty)
    store.enqueue(
      notifiable.compactMap { event in event.item.pushActions.map { (event.stored, $0) } }, in: txn,
      mayGoBeside: mayGoBeside)
    txn.ifOrphaned { orphans.look() }
    let staged = plans.flatMap(\.given).filter { $0.pushActions == nil && Self.mayNotify($0) }
    guard !staged.isEmpty else { return }
    store.enqueueMove(
      notifiable.filter { $0.item.pushActions == nil }.map(\.stored), clearing: staged.map(\.event.eventID), in: txn,
      mayGoBeside: mayGoBeside)
  }

  private static func mayNotify(_ item: PersistableEvent) -> Bool {
    !item.isOutlier || item.metadata.outOfBandMembership
  }

  // MARK: search

  func writeSearch() {
    let entries = accepted.compactMap { event in
      EventSearchText(event.event).map { (event: event, text: $0) }
    }
    guard !entries.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_search (event_id, room_id, key, vector, stream_ordering, origin_server_ts)
      SELECT q.id, q.room_id, q.key, to_tsvector('english', q.value), q.stream, q.time
      FROM unnest(\(entries.map(\.event.id))::text[], \(entries.map(\.event.event.roomID.rawValue))::text[],
        \(entries.map(\.text.key))::text[], \(entries.map(\.text.value))::text[],
        \(entries.map(\.event.stored.streamOrdering))::bigint[], \(entries.map(\.event.event.originServerTS))::bigint[])
        AS q(id, room_id, key, value, stream, time)
      """)
  }
}
