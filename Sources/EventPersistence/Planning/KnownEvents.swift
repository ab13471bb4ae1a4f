import MatrixEvents
import MatrixPrimitives
import Stores

/// What the database already has of a batch.
struct KnownEvents: Sendable {
  /// The events of the batch that are stored already.
  var stored: [EventID: EventStore.StoredPlace] = [:]
  /// The earlier event for each one that says again what its sender has said before: by the same transaction id and path, or as
  /// state that its creator had not seen.
  var replacements: [EventID: EventID] = [:]
  /// The name under which each new event's transaction is to be stored; absent when every name is taken.
  var transactionNames: [EventID: Text] = [:]
  /// The relations of events that the batch redacts.
  var redactedRelations: [RelationStore.Ending] = []

  /// Looks up batches in one statement, as far as they are not new; redactions need another, in the same round trip.
  ///
  /// - Returns: what is known of each batch; which events are stored is common to all batches.
  static func lookUp(_ batches: [PersistBatch], stores: RoomStores) async throws -> [KnownEvents] {
    let redacted = batches.flatMap(\.events).filter { $0.event.type == EventType.redaction }
    async let relations = stores.relations.endings(of: redacted.compactMap(\.event.redacts))
    let sent = try await SentTransaction.list(batches.flatMap(\.events), stores: stores)
    let unsure = batches.filter { !$0.areNew }.flatMap(\.events)
    let (stored, owners) = try await find(unsure, sent, stores: stores)
    let found = try await relations
    var result: [KnownEvents] = []
    for batch in batches {
      let targets = Set(batch.events.filter { $0.event.type == EventType.redaction }.compactMap(\.event.redacts))
      var known = KnownEvents(stored: stored, redactedRelations: found.filter { targets.contains($0.eventID) })
      known.settleTransactions(batch.events.compactMap { sent[$0.event.eventID] }, owners)
      try await known.findRepeatedState(batch, stores: stores)
      result.append(known)
    }
    return result
  }

  /// Finds those events that are stored, and the requests that have taken names of transactions.
  private static func find(
    _ events: [PersistableEvent], _ sent: [EventID: SentTransaction], stores: RoomStores
  ) async throws -> (
    stored: [EventID: EventStore.StoredPlace], owners: [EventStore.TransactionName: SentTransaction.Owner]
  ) {
    guard !events.isEmpty else { return ([:], [:]) }
    let ids = events.map(\.event.eventID)
    let (stored, takers) = try await stores.events.known(ids, ids.compactMap { sent[$0] }.flatMap(\.names))
    let paths = try await stores.events.transactionPaths(of: Array(takers.values))
    return (stored, takers.mapValues { SentTransaction.Owner(eventID: $0, path: paths[$0]) })
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

/// The events of a batch that change something.
struct SortedEvents: Sendable {
  /// Events that are not stored yet.
  var fresh: [PersistableEvent] = []
  /// Events that are stored as outliers and take their place in the timeline now.
  var formerOutliers: [(item: PersistableEvent, row: EventStore.StoredPlace)] = []

  var count: Int { fresh.count + formerOutliers.count }
  var isEmpty: Bool { count == 0 }
  /// All of them.
  var timeline: [PersistableEvent] { fresh + formerOutliers.map(\.item) }
}

extension RelationStore.Ending {
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
