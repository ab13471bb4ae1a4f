import MatrixEvents
import MatrixPrimitives
import Stores

/// Finds what is shown together with events: the newest edit, the thread, what refers to them.
struct AggregationReader: Sendable {
  let storage: Storage

  /// Reads the aggregations of events; those without any are absent.
  ///
  /// Which relations count is for ``RelatedEvent`` to say. Of a redacted event edits are not shown, the others are.
  func read(_ events: [StoredEvent], for reader: UserID) async throws -> [EventID: BundledAggregations] {
    // State, which many answers are full of, is left out before its content is looked at.
    let parents = events.filter { event in
      !event.event.isState && !event.isKnownUnrelated
        && RelatedEvent(event.event).mayBeParent(of: EventRelation.Kind.reference)
    }
    guard !parents.isEmpty else { return [:] }
    let bundles = try await bundles(of: parents, for: reader)
    guard !bundles.isEmpty else { return [:] }
    let latest = bundles.values.compactMap { $0.thread?.latest }
    let inThreads = latest.isEmpty ? [:] : try await storage.events.events(latest)
    let ofLatest = latest.isEmpty ? [:] : try await storage.relations.bundles(for: latest, reader: reader)
    let edited = Dictionary(parents.map { ($0.eventID, $0) }) { first, _ in first }.merging(inThreads) { $1 }
    let edits = try await edits(bundles.merging(ofLatest) { first, _ in first }.mapValues(\.edits), of: edited)
    var result: [EventID: BundledAggregations] = [:]
    for (id, bundle) in bundles {
      let thread = bundle.thread.flatMap { thread in
        inThreads[thread.latest].map { event in
          BundledAggregations.Thread(
            latest: event, latestEdit: edits[thread.latest], count: thread.count,
            hasParticipated: thread.hasParticipated)
        }
      }
      let shown = BundledAggregations(edit: edits[id], thread: thread, references: bundle.references)
      if shown.edit != nil || shown.thread != nil || !shown.references.isEmpty { result[id] = shown }
    }
    return result
  }

  /// Reads what may be bundled, and notes which events have nothing.
  private func bundles(
    of parents: [StoredEvent], for reader: UserID
  ) async throws -> [EventID: RelationStore.Bundle] {
    let arrivals = storage.relations.arrivals
    var bundles = try await storage.relations.bundles(for: parents.map(\.eventID), reader: reader)
    let lonely = parents.filter { bundles[$0.eventID] == nil }
    for event in lonely { event.noteUnrelated(true) }
    // What came meanwhile was perhaps not read, and told before it was noted that there is nothing.
    if storage.relations.arrivals != arrivals { for event in lonely { event.noteUnrelated(false) } }
    for event in parents {
      if !RelatedEvent(event.event).mayBeParent(of: EventRelation.Kind.thread) { bundles[event.eventID]?.thread = nil }
    }
    return bundles
  }

  /// Chooses the newest edit that breaks no rule. It nearly always is the newest of all, so they are fetched one after the other.
  private func edits(
    _ candidates: [EventID: [EventID]], of parents: [EventID: StoredEvent]
  ) async throws -> [EventID: StoredEvent] {
    var open = candidates.filter { parents[$0.key].map { $0.redactedBecause == nil } ?? false }
    var chosen: [EventID: StoredEvent] = [:]
    for place in 0..<RelationStore.greatestEditCount {
      open = open.filter { chosen[$0.key] == nil && $0.value.count > place }
      guard !open.isEmpty else { break }
      let found = try await storage.events.events(open.values.map { $0[place] })
      for (parentID, ids) in open {
        guard let edit = found[ids[place]], let parent = parents[parentID] else { continue }
        let fault = RelatedEvent(edit.event).relationFault(parent: RelatedEvent(parent.event))
        if fault == nil { chosen[parentID] = edit }
      }
    }
    return chosen
  }
}
