import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

/// Holds what the database already has of a batch.
struct KnownEvents: Sendable {
  /// Describes a stored event.
  struct Row: Sendable {
    let isOutlier: Bool
    let streamOrdering: Int64
    let instanceName: Text
  }

  /// Describes a relation that ends because its event is being redacted.
  struct RedactedRelation: Sendable {
    let eventID: EventID
    let parentID: EventID
    let type: Text

    /// Lists what is remembered about the parent and becomes stale.
    func invalidations(roomID: RoomID) -> [CacheInvalidation] {
      let parent = parentID.rawValue
      var items = [CacheInvalidation("get_relations_for_event", [roomID.rawValue, parent])]
      switch type {
      case EventRelation.Kind.reference: items.append(CacheInvalidation("get_references_for_event", [parent]))
      case EventRelation.Kind.replacement: items.append(CacheInvalidation("get_applicable_edit", [parent]))
      case EventRelation.Kind.thread:
        items.append(CacheInvalidation("get_thread_summary", [parent]))
        items.append(CacheInvalidation("get_thread_participated", [parent]))
        items.append(CacheInvalidation("get_threads", [roomID.rawValue]))
      default: break
      }
      return items
    }
  }

  /// Holds those events of the batch that are stored already.
  var stored: [EventID: Row] = [:]
  /// The earlier event for each one that says again what its sender has said before: by the same transaction id and path, or as
  /// state that its creator had not seen.
  var replacements: [EventID: EventID] = [:]
  /// The name under which each new event's transaction is to be stored; absent when every name is taken.
  var transactionNames: [EventID: Text] = [:]
  /// Holds the relations of events that the batch redacts.
  var redactedRelations: [RedactedRelation] = []

  /// Looks up batches in one statement, as far as they are not new; redactions need another, in the same round trip.
  ///
  /// Arrays stand in subqueries so that their lengths do not count for the plan: it is made once then, and not for each batch.
  /// `LIMIT` keeps the index in use, however small the table looked when that was.
  ///
  /// - Returns: what is known of each batch; which events are stored is told of all batches together.
  static func lookUp(_ batches: [PersistBatch], storage: RoomStores) async throws -> [KnownEvents] {
    let redacted = batches.flatMap(\.events).filter { $0.event.type == EventType.redaction }
    async let relations = relations(of: redacted.compactMap(\.event.redacts?.rawValue), storage: storage)
    let sent = try await SentTransaction.list(batches.flatMap(\.events), storage: storage)
    let unsure = batches.filter { !$0.areNew }.flatMap(\.events)
    let (stored, owners) = try await find(unsure, sent, storage: storage)
    let found = try await relations
    var result: [KnownEvents] = []
    for batch in batches {
      let targets = Set(batch.events.filter { $0.event.type == EventType.redaction }.compactMap(\.event.redacts))
      var known = KnownEvents(stored: stored, redactedRelations: found.filter { targets.contains($0.eventID) })
      known.settleTransactions(batch.events.compactMap { sent[$0.event.eventID] }, owners)
      try await known.findRepeatedState(batch, storage: storage)
      result.append(known)
    }
    return result
  }

  /// Finds those events that are stored, and the requests that have taken names of transactions.
  private static func find(
    _ events: [PersistableEvent], _ sent: [EventID: SentTransaction], storage: RoomStores
  ) async throws -> (stored: [EventID: Row], owners: [SentTransaction.Name: SentTransaction.Owner]) {
    guard !events.isEmpty else { return ([:], [:]) }
    let ids = events.map(\.event.eventID.rawValue)
    let names = events.compactMap { sent[$0.event.eventID] }.flatMap(\.names)
    let rows = try await storage.database.read(
      """
      SELECT event_id, outlier, stream_ordering, COALESCE(instance_name, 'master'), NULL, NULL, NULL, NULL FROM events
      WHERE event_id = ANY(\(unseen: ids))
      UNION ALL
      SELECT t.event_id, false, 0, '', q.room_id, q.user_id, q.device_id, q.txn_id
      FROM unnest((SELECT \(names.map(\.roomID))::text[]), (SELECT \(names.map(\.sender))::text[]),
        (SELECT \(names.map(\.device))::text[]), (SELECT \(names.map(\.text))::text[]))
        AS q(room_id, user_id, device_id, txn_id)
      CROSS JOIN LATERAL (
        SELECT event_id FROM event_txn_id_device_id
        WHERE user_id = q.user_id AND device_id = q.device_id AND room_id = q.room_id AND txn_id = q.txn_id
        LIMIT 1) AS t
      """)
    var stored: [EventID: Row] = [:]
    var takers: [SentTransaction.Name: EventID] = [:]
    for row in rows {
      let (id, isOutlier, stream, instance) = try row.decode(Text.self, Bool.self, Int64.self, Text.self)
      if let text = try row.get(7, as: Text?.self) {
        let name = SentTransaction.Name(
          roomID: try row.get(4), sender: try row.get(5), device: try row.get(6), text: text)
        takers[name] = EventID(unchecked: id)
      } else {
        stored[EventID(unchecked: id)] = Row(isOutlier: isOutlier, streamOrdering: stream, instanceName: instance)
      }
    }
    let paths = try await storage.events.transactionPaths(of: Array(takers.values))
    return (stored, takers.mapValues { SentTransaction.Owner(eventID: $0, path: paths[$0]) })
  }

  private static func relations(of events: [Text], storage: RoomStores) async throws -> [RedactedRelation] {
    guard !events.isEmpty else { return [] }
    let rows = try await storage.database.read(
      """
      SELECT event_id, relates_to_id, relation_type FROM event_relations WHERE event_id = ANY(\(events)::text[])
      """)
    return try rows.map { row in
      let (event, parent, type) = try row.decode(Text.self, Text.self, Text.self)
      return RedactedRelation(eventID: EventID(unchecked: event), parentID: EventID(unchecked: parent), type: type)
    }
  }

  /// Refuses a batch in which an event follows one that is not going to be stored, because it says again what has been said
  /// before: ids cannot be changed any more, so the sender has to make the events anew behind what there is.
  ///
  /// It happens when a request is repeated at another worker while the first one is still at work.
  /// - Throws: `MatrixError` 409.
  func checkNothingFollowsReplaced(_ events: [PersistableEvent]) throws(MatrixError) {
    guard !replacements.isEmpty else { return }
    let hangsInTheAir = events.contains { item in
      stored[item.event.eventID] == nil && replacements[item.event.eventID] == nil
        && item.event.prevEvents.contains { replacements[$0] != nil }
    }
    guard !hangsInTheAir else { throw .unknown("Events follow a repeated transaction", status: 409) }
  }

  /// Sorts a batch into what must be inserted and what only stops being an outlier; the rest is dropped.
  func sort(_ events: [PersistableEvent]) -> SortedEvents {
    var sorted = SortedEvents()
    var indexes: [EventID: Int] = [:]
    for item in events where replacements[item.event.eventID] == nil {
      let id = item.event.eventID
      if let row = stored[id] {
        // What is stored is at least as good as an outlier or a refused copy.
        guard row.isOutlier, !item.isOutlier, item.context.rejected == nil, indexes[id] == nil else { continue }
        indexes[id] = sorted.formerOutliers.count
        sorted.formerOutliers.append((item, row))
      } else if let index = indexes[id] {
        // Of two copies the one with state counts.
        if sorted.fresh[index].isOutlier, !item.isOutlier { sorted.fresh[index] = item }
      } else {
        indexes[id] = sorted.fresh.count
        sorted.fresh.append(item)
      }
    }
    return sorted
  }
}

/// Holds the events of a batch that change something.
struct SortedEvents: Sendable {
  /// Lists events that are not stored yet.
  var fresh: [PersistableEvent] = []
  /// Lists events that are stored as outliers and take their place in the timeline now.
  var formerOutliers: [(item: PersistableEvent, row: KnownEvents.Row)] = []

  var count: Int { fresh.count + formerOutliers.count }
  var isEmpty: Bool { count == 0 }
  /// Lists all of them.
  var timeline: [PersistableEvent] { fresh + formerOutliers.map(\.item) }
}
