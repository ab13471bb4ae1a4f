import MatrixEvents
import MatrixPrimitives
import Stores

/// The reader of what is shown together with events: the newest edit, the thread, what refers to them.
///
/// All of it is visible to the reader by itself, and not sent by users whom the reader ignores.
struct AggregationReader: Sendable {
  let stores: RoomStores
  let accountData: AccountDataStore
  let access: RoomAccess
  let visibility: VisibilityFilter

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
    let inThreads = try await shown(latest, to: reader)
    let ofLatest = try await self.bundles(of: inThreads.values.filter { !$0.isKnownUnrelated }, for: reader)
    let edited = Dictionary(parents.map { ($0.eventID, $0) }) { first, _ in first }.merging(inThreads) { $1 }
    let edits = try await edits(
      bundles.merging(ofLatest) { first, _ in first }.mapValues(\.edits), of: edited, for: reader)
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
    guard !parents.isEmpty else { return [:] }
    let arrivals = stores.relations.arrivals
    let targets = try await stores.relations.targets(among: parents.map(\.eventID))
    let lonely = parents.filter { !targets.contains($0.eventID) }
    for event in lonely { event.noteUnrelated(true) }
    // Events that came meanwhile may be missing here and have been announced before the mark was set.
    if stores.relations.arrivals != arrivals { for event in lonely { event.noteUnrelated(false) } }
    guard !targets.isEmpty else { return [:] }
    let related = parents.filter { targets.contains($0.eventID) }
    let rights = try await access.rights(of: reader, in: Set(related.map(\.roomID)))
    let open = try await stores.historyOpenness.openSince(rights.filter { $0.value == .member }.map(\.key))
    let isOpen = { (event: StoredEvent) in open[event.roomID].map { event.streamOrdering > $0 } ?? false }
    let ignored = try await accountData.data(of: reader).ignoredUsers
    var bundles = try await stores.relations.bundles(
      for: related.filter(isOpen).map(\.eventID), reader: reader, ignoring: ignored)
    let closed = try await visibleBundles(of: related.filter { !isOpen($0) }, for: reader, rights)
    bundles.merge(closed) { $1 }
    for event in parents {
      if !RelatedEvent(event.event).mayBeParent(of: EventRelation.Kind.thread) { bundles[event.eventID]?.thread = nil }
    }
    return bundles
  }

  /// Gathers what may be bundled in rooms that do not show the reader everything that came after the parents.
  private func visibleBundles(
    of parents: [StoredEvent], for reader: UserID, _ rights: [RoomID: RoomAccess.Right]
  ) async throws -> [EventID: RelationStore.Bundle] {
    guard !parents.isEmpty else { return [:] }
    let children = try await stores.relations.children(of: parents.map(\.eventID))
    let events = try await stores.events.events(children.map(\.eventID))
    var visible: Set<EventID> = []
    for (room, inRoom) in Dictionary(grouping: events.values, by: \.roomID) {
      let shown = try await visibility.visible(inRoom, to: reader, with: rights[room] ?? .peeking)
      visible.formUnion(shown.map(\.event.eventID))
    }
    let byParent = Dictionary(grouping: children.filter { visible.contains($0.eventID) }, by: \.parent)
    var bundles: [EventID: RelationStore.Bundle] = [:]
    for parent in parents {
      let shown = byParent[parent.eventID] ?? []
      let thread = shown.filter { $0.kind == EventRelation.Kind.thread }.map(\.eventID)
      var bundle = RelationStore.Bundle()
      bundle.edits = shown.filter { $0.kind == EventRelation.Kind.replacement }.map(\.eventID)
      bundle.references = shown.filter { $0.kind == EventRelation.Kind.reference }.map(\.eventID).reversed()
      if let latest = thread.first {
        bundle.thread = RelationStore.Thread(
          count: Int64(thread.count), latest: latest,
          hasParticipated: parent.sender == reader || thread.contains { events[$0]?.sender == reader })
      }
      if !bundle.isEmpty { bundles[parent.eventID] = bundle }
    }
    return bundles
  }

  /// Reads events that may be bundled in the form in which the reader sees them by themselves: without their content where the sender had it
  /// erased.
  ///
  /// Cost: nothing but what is cached for events that came while the reader was in a room that shows its members everything.
  private func shown(_ ids: [EventID], to reader: UserID) async throws -> [EventID: StoredEvent] {
    guard !ids.isEmpty else { return [:] }
    let events = try await stores.events.events(ids)
    let rights = try await access.rights(of: reader, in: Set(events.values.map(\.roomID)))
    var shown: [EventID: StoredEvent] = [:]
    for (room, inRoom) in Dictionary(grouping: events.values, by: \.roomID) {
      let right = rights[room] ?? .peeking
      for visible in try await visibility.visible(inRoom, to: reader, with: right, appliesIgnores: false) {
        shown[visible.event.eventID] = visible.event
      }
    }
    // What is not to be seen at all counts as a part of its thread, has no content either, and is no edit.
    for (id, event) in events where shown[id] == nil { shown[id] = try event.stripped() }
    return shown
  }

  /// Chooses the newest edit that breaks no rule. It nearly always is the newest of all, so they are fetched one after the other.
  private func edits(
    _ candidates: [EventID: [EventID]], of parents: [EventID: StoredEvent], for reader: UserID
  ) async throws -> [EventID: StoredEvent] {
    var open = candidates.filter { parents[$0.key].map { $0.redactedBecause == nil } ?? false }
    var chosen: [EventID: StoredEvent] = [:]
    for place in 0..<RelationStore.greatestEditCount {
      open = open.filter { chosen[$0.key] == nil && $0.value.count > place }
      guard !open.isEmpty else { break }
      let found = try await shown(open.values.map { $0[place] }, to: reader)
      for (parentID, ids) in open {
        guard let edit = found[ids[place]], let parent = parents[parentID] else { continue }
        let fault = RelatedEvent(edit.event).relationFault(parent: RelatedEvent(parent.event))
        if fault == nil { chosen[parentID] = edit }
      }
    }
    return chosen
  }
}
