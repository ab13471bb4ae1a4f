import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Replication
import Stores

/// The acceptance of events that other processes of the cluster have made, in the process that persists them.
final class EventInbox: Sendable {
  private let stores: RoomStores
  private let state: StateService
  private let creator: EventCreator
  private let persister: EventPersister
  private let rateLimiter: RoomRateLimiter

  init(
    stores: RoomStores, state: StateService, creator: EventCreator, persister: EventPersister,
    rateLimiter: RoomRateLimiter
  ) {
    self.stores = stores
    self.state = state
    self.creator = creator
    self.persister = persister
    self.rateLimiter = rateLimiter
  }

  /// The calls by which other processes have events persisted.
  var calls: [ServedCall] {
    [
      ServedCall(SendEventsRequest.self) { try await self.accept($0) },
      ServedCall(FederatedEventsRequest.self) { StreamIDAnswer(try await self.accept($0)) },
    ]
  }

  /// Persists the events of a `send_events` call; their push actions are in the staging table already.
  ///
  /// What a Synapse worker leaves to the persister is done here: checking aliases and redactions, and adding to invites and
  /// knocks the state that the user is shown.
  ///
  /// - Throws: `MatrixError` 400 when another process is to persist the events of this room, 403 for what the sender may not do,
  ///   429 when the sender has to wait.
  func accept(_ request: SendEventsRequest) async throws -> SendEventsRequest.Answer {
    guard let first = request.elements.first?.persistable.event else { throw MatrixError.badJSON("No events") }
    try requireWriter(of: first.roomID)
    for element in request.elements where element.ratelimit {
      try await rateLimiter.check(.message, element.requester)
    }
    let batch = try await complete(request.elements.map(\.persistable))
    let stored = try await persister.persist(batch, roomID: first.roomID)
    guard let last = stored.last else { throw MatrixError.unknown("Nothing was persisted", status: 500) }
    return SendEventsRequest.Answer(streamID: last.streamOrdering, eventID: last.eventID)
  }

  /// Persists the events of a `fed_send_events` call.
  ///
  /// - Returns: the position up to which the room's events are persisted.
  /// - Throws: `MatrixError` 400 when another process is to persist the events of this room.
  func accept(_ request: FederatedEventsRequest) async throws -> Int64 {
    try requireWriter(of: request.roomID)
    let stored = try await persister.persist(
      request.events, roomID: request.roomID, backfilled: request.isBackfilled)
    let own = stores.events.ids.currentToken
    return request.isBackfilled ? own : max(own, stored.map(\.streamOrdering).max() ?? own)
  }

  private func requireWriter(of room: RoomID) throws(MatrixError) {
    guard persister.isWriter(for: room) else {
      throw .unknown("This process does not persist the events of this room", status: 400)
    }
  }

  // MARK: What creators leave to the persister

  private func complete(_ events: [PersistableEvent]) async throws -> [PersistableEvent] {
    var completed: [PersistableEvent] = []
    var chain: EventChain?
    for var item in events {
      if Self.needsState(item) {
        let current = try await position(item, chain)
        item = try await complete(item, on: current)
        chain = current
      }
      chain?.append(item.event, context: item.context)
      completed.append(item)
    }
    return completed
  }

  private static func needsState(_ item: PersistableEvent) -> Bool {
    switch item.event.type {
    case "m.room.canonical_alias", "m.room.redaction": item.context.stateGroupBeforeEvent != nil
    case "m.room.member":
      item.context.stateGroupBeforeEvent != nil
        && (item.event.membership == "invite" || item.event.membership == "knock")
    default: false
    }
  }

  /// Returns the chain before an event: the one so far when the event follows on from it.
  private func position(_ item: PersistableEvent, _ chain: EventChain?) async throws -> EventChain {
    let group = item.context.stateGroupBeforeEvent
    if let chain, chain.state.group == group { return chain }
    let snapshot = if let group { try await stores.state.snapshot(group: group) } else { StateSnapshot() }
    return EventChain(
      roomID: item.event.roomID, version: item.event.version, prevEvents: item.event.prevEvents,
      depth: item.event.depth, state: ResolvedState(group: group, snapshot: snapshot))
  }

  private func complete(_ item: PersistableEvent, on chain: EventChain) async throws -> PersistableEvent {
    var item = item
    var replaced: Event?
    if let key = item.event.key { replaced = try await chain.stateEvent(key, state) }
    try await creator.checkConsequences(of: item.event, replaced: replaced, on: chain)
    if item.event.type == "m.room.redaction" { item.metadata.recheckRedaction = false }
    let key =
      switch item.event.membership {
      case "invite": "invite_room_state"
      case "knock": "knock_room_state"
      default: ""
      }
    guard !key.isEmpty, item.event.unsigned?[key] == nil else { return item }
    let inviter = item.event.membership == "invite" ? item.event.sender : nil
    let stripped = try await creator.strippedState.events(on: chain, inviter: inviter)
    let event = try item.event.addingUnsigned(key, stripped)
    return PersistableEvent(
      event: event, context: item.context, metadata: item.metadata, isOutlier: item.isOutlier,
      pushActions: item.pushActions)
  }
}

extension Event {
  /// Returns the event with one more member in its unsigned part, which neither its id nor its signatures cover.
  fileprivate func addingUnsigned(_ key: Text, _ value: JSON) throws -> Event {
    var members = json.json.members ?? [:]
    var unsigned = members["unsigned"]?.members ?? [:]
    unsigned[key] = value
    members["unsigned"] = .object(unsigned)
    let value = try JSONValue.parse(JSON.object(members).encoded, maximumDepth: JSONDocument.storedDepth)
    return try Event.parse(value, version: version, eventID: eventID)
  }
}
