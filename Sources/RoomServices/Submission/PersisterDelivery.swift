import EventPersistence
import Logging
import MatrixEvents
import MatrixPrimitives
import Replication
import Stores

/// A new event with the request that it came from.
struct SubmittedEvent: Sendable {
  let created: CreatedEvent
  let requester: Requester
  let extraUsers: [UserID]
  /// What push rules want done.
  let pushActions: [PushAction]
}

/// What came of a delivery.
struct DeliveredEvents: Sendable {
  /// The id of each event: another one than given when it turned out to be a repetition.
  let eventIDs: [EventID]
  /// The position that this process has to reach for the events to be readable in it; nil when it has.
  var position: Int64?
}

/// The way of new events to the process that persists them, be it this one or another.
final class PersisterDelivery: Sendable {
  private let stores: RoomStores
  private let state: StateService
  private let persister: EventPersister
  private let pushActions: PushActionEvaluator
  private let router: CallRouter
  private let hub: StreamHub
  private let clock: ServerClock
  private let logger: Logger

  /// The time that a request waits for its own event to become readable here, before it answers all the same.
  private static let readBackTimeout = Duration.seconds(5)

  init(
    stores: RoomStores, state: StateService, persister: EventPersister, pushActions: PushActionEvaluator,
    router: CallRouter, hub: StreamHub, clock: ServerClock, logger: Logger
  ) {
    self.stores = stores
    self.state = state
    self.persister = persister
    self.pushActions = pushActions
    self.router = router
    self.hub = hub
    self.clock = clock
    self.logger = logger
  }

  /// Returns whether this process itself persists a room's events.
  func isLocal(_ room: RoomID) -> Bool { persister.isWriter(for: room) }

  /// Makes an event ready for delivery.
  ///
  /// - Parameter evaluatesPush: whether the room's members may be notified; there are none but the creator in a new room.
  func outgoing(
    _ created: CreatedEvent, requester: Requester, extraUsers: [UserID] = [], evaluatesPush: Bool = true
  ) async throws -> SubmittedEvent {
    let actions = evaluatesPush ? try await pushActions.actions(for: created.event, before: created.before) : []
    return SubmittedEvent(created: created, requester: requester, extraUsers: extraUsers, pushActions: actions)
  }

  /// Persists a chain of events of one room, in order. Returns when they are stored; wait with ``settle(_:)`` or
  /// ``whenReadable(_:_:)`` until they can be read in this process.
  ///
  /// - Parameter whenVisible: see ``EventPersister/persist(_:roomID:backfilled:areNew:whenVisible:)``; not called when the persister
  ///   is another process.
  func deliver(
    _ events: [SubmittedEvent], room: RoomID, whenVisible: @escaping @Sendable () -> Void = {}
  ) async throws -> DeliveredEvents {
    isLocal(room)
      ? try await persist(events, room: room, whenVisible: whenVisible) : try await transmit(events, room: room)
  }

  private func persist(
    _ events: [SubmittedEvent], room: RoomID, whenVisible: @escaping @Sendable () -> Void
  ) async throws -> DeliveredEvents {
    let batch = events.map { outgoing in
      PersistableEvent(
        event: outgoing.created.event, context: outgoing.created.context, metadata: outgoing.created.metadata,
        pushActions: outgoing.pushActions)
    }
    let stored = try await persister.persist(batch, roomID: room, areNew: true, whenVisible: whenVisible)
    return DeliveredEvents(eventIDs: stored.map(\.eventID), position: stored.map(\.streamOrdering).max())
  }

  /// Calls a closure as soon as events can be read in this process; at once when they can, so it must be short.
  func whenReadable(_ delivered: DeliveredEvents, _ body: @escaping @Sendable () -> Void) {
    guard let position = delivered.position, !isReadable(position) else { return body() }
    Task {
      await settle(delivered)
      body()
    }
  }

  /// Waits until events can be read in this process: its own position does not move while other rooms' events with lower
  /// numbers are still being written, a matter of milliseconds.
  func settle(_ delivered: DeliveredEvents) async {
    guard let position = delivered.position, !isReadable(position) else { return }
    let ids = stores.events.ids
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await ids.waitForOwn(position) }
      group.addTask { try? await Task.sleep(for: Self.readBackTimeout) }
      await group.next()
      group.cancelAll()
    }
  }

  private func isReadable(_ position: Int64) -> Bool { stores.events.ids.position(of: hub.instanceName) >= position }

  private func transmit(_ events: [SubmittedEvent], room: RoomID) async throws -> DeliveredEvents {
    guard !router.isAlone, let instance = persister.writer(for: room) else {
      throw MatrixError.unknown("No process persists the events of this room", status: 500)
    }
    var ready: [SendEventsRequest.Element] = []
    let contexts = try await state.store(events.map(\.created.context))
    for (outgoing, context) in zip(events, contexts) {
      let created = outgoing.created
      try await stores.pushActions.stage(created.event.eventID, outgoing.pushActions, now: clock.nowMilliseconds)
      ready.append(
        SendEventsRequest.Element(
          persistable: PersistableEvent(event: created.event, context: context, metadata: created.metadata),
          requester: outgoing.requester, ratelimit: false, extraUsers: outgoing.extraUsers))
    }
    do {
      let answer = try await router.ask(SendEventsRequest(elements: ready))
      await readBack(instance: instance, token: answer.streamID)
      let ids = try await eventIDs(events, answer: answer)
      await unstage(zip(events, ids).filter { $0.created.event.eventID != $1 }.map(\.0))
      return DeliveredEvents(eventIDs: ids)
    } catch {
      await unstage(events)
      throw error
    }
  }

  /// Drops the staged push actions of events that were not persisted; left behind they would only take room.
  private func unstage(_ events: [SubmittedEvent]) async {
    for outgoing in events where !outgoing.pushActions.isEmpty {
      try? await stores.pushActions.unstage(outgoing.created.event.eventID)
    }
  }

  /// Finds what became of each event. The answer names the last one only, and another one than sent when that said what had
  /// been said before. A repetition further ahead makes our persister refuse the batch, since what follows would hang in
  /// the air; Synapse's stores the rest, and then the tables decide.
  private func eventIDs(_ events: [SubmittedEvent], answer: SendEventsRequest.Answer) async throws -> [EventID] {
    var ids = events.map(\.created.event.eventID)
    if !ids.isEmpty { ids[ids.count - 1] = answer.eventID }
    guard ids.count > 1 else { return ids }
    let persisted = try await stores.events.havePersisted(ids)
    for (index, outgoing) in events.enumerated() where !persisted.contains(ids[index]) {
      guard let first = try await earlierEvent(for: outgoing.created) else {
        throw MatrixError.unknown("An event of a batch was not persisted", status: 500)
      }
      ids[index] = first
    }
    return ids
  }

  private func earlierEvent(for created: CreatedEvent) async throws -> EventID? {
    let event = created.event
    guard let txnID = created.metadata.txnID, let deviceID = created.metadata.deviceID,
      let path = try await stores.events.transactionPaths(of: [event])[event.eventID]
    else { return nil }
    return try await stores.events.eventID(
      roomID: event.roomID,
      transaction: .init(userID: event.sender, deviceID: deviceID, txnID: txnID, path: path))
  }

  /// Waits until this process has acted on the event, so that the client's next request finds it.
  private func readBack(instance: Text, token: Int64) async {
    if await !hub.waitForPosition(.events, instance: instance, token: token, timeout: Self.readBackTimeout) {
      logger.warning("Own event is not readable yet", metadata: ["position": "\(token)"])
    }
  }
}
