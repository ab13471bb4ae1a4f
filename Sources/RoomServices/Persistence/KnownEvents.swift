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
    let instanceName: String
  }

  /// Describes a relation that ends because its event is being redacted.
  struct RedactedRelation: Sendable {
    let eventID: EventID
    let parentID: EventID
    let type: String

    /// Lists what is remembered about the parent and becomes stale.
    func invalidations(roomID: RoomID) -> [CacheInvalidation] {
      let parent = parentID.rawValue
      var items = [CacheInvalidation("get_relations_for_event", [roomID.rawValue, parent])]
      switch type {
      case "m.reference": items.append(CacheInvalidation("get_references_for_event", [parent]))
      case "m.replace": items.append(CacheInvalidation("get_applicable_edit", [parent]))
      case "m.thread":
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
  /// Holds the earlier event for each one whose transaction has been used already.
  var replacements: [EventID: EventID] = [:]
  /// Holds the relations of events that the batch redacts.
  var redactedRelations: [RedactedRelation] = []

  /// Looks up a batch; the statements share a round trip.
  static func lookUp(_ events: [PersistableEvent], roomID: RoomID, storage: Storage) async throws -> KnownEvents {
    var known = KnownEvents()
    let ids = events.map(\.event.eventID.rawValue)
    let redacted = events.filter { $0.event.type == EventType.redaction }.compactMap(\.event.redacts?.rawValue)
    async let rows = storage.database.read(
      """
      SELECT event_id, outlier, stream_ordering, COALESCE(instance_name, 'master') FROM events
      WHERE event_id = ANY(\(ids)::text[])
      """)
    async let earlier = transactions(events, roomID: roomID, storage: storage)
    async let relations = relations(of: redacted, storage: storage)
    for row in try await rows {
      let (id, isOutlier, stream, instance) = try row.decode(String.self, Bool.self, Int64.self, String.self)
      known.stored[EventID(unchecked: id)] = Row(
        isOutlier: isOutlier, streamOrdering: stream, instanceName: instance)
    }
    known.replacements = try await earlier
    known.redactedRelations = try await relations
    return known
  }

  private static func relations(of events: [String], storage: Storage) async throws -> [RedactedRelation] {
    guard !events.isEmpty else { return [] }
    let rows = try await storage.database.read(
      """
      SELECT event_id, relates_to_id, relation_type FROM event_relations WHERE event_id = ANY(\(events)::text[])
      """)
    return try rows.map { row in
      let (event, parent, type) = try row.decode(String.self, String.self, String.self)
      return RedactedRelation(eventID: EventID(unchecked: event), parentID: EventID(unchecked: parent), type: type)
    }
  }

  private struct TransactionKey: Hashable {
    let sender: String
    let device: String
    let txnID: String
  }

  /// Finds events that were sent in the same transaction as one of the batch: before it, or earlier in it.
  private static func transactions(
    _ events: [PersistableEvent], roomID: RoomID, storage: Storage
  ) async throws -> [EventID: EventID] {
    var keys: [(event: EventID, key: TransactionKey)] = []
    for item in events {
      guard let device = item.metadata.deviceID, let txnID = item.metadata.txnID else { continue }
      let key = TransactionKey(sender: item.event.sender.rawValue, device: device, txnID: txnID)
      keys.append((item.event.eventID, key))
    }
    guard !keys.isEmpty else { return [:] }
    let rows = try await storage.database.read(
      """
      SELECT t.user_id, t.device_id, t.txn_id, t.event_id FROM event_txn_id_device_id AS t
      JOIN unnest(\(keys.map(\.key.sender))::text[], \(keys.map(\.key.device))::text[],
        \(keys.map(\.key.txnID))::text[]) AS q(user_id, device_id, txn_id) USING (user_id, device_id, txn_id)
      WHERE t.room_id = \(roomID.rawValue)
      """)
    var owners: [TransactionKey: EventID] = [:]
    for row in rows {
      let (sender, device, txnID, event) = try row.decode(String.self, String.self, String.self, String.self)
      owners[TransactionKey(sender: sender, device: device, txnID: txnID)] = EventID(unchecked: event)
    }
    var replacements: [EventID: EventID] = [:]
    for (event, key) in keys {
      if let owner = owners[key] {
        if owner != event { replacements[event] = owner }
      } else {
        owners[key] = event
      }
    }
    return replacements
  }

  /// Refuses a batch in which an event follows one that is not going to be stored, because its transaction made another
  /// event before: ids cannot be changed any more, so the sender has to make the events anew behind what there is.
  ///
  /// It happens when a client's request is repeated at another worker while the first one is still at work.
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
