import MatrixEvents
import MatrixPrimitives
import Stores

/// A closure that looks at a draft when its turn has come, with the room's state before it: it may change the draft,
/// refuse it by throwing, or answer with an event that makes it unnecessary.
typealias SubmissionPreparation =
  @Sendable (_ draft: ClientEventDraft, _ chain: EventChain) async throws -> PreparedDraft

/// What is to be done about a draft whose turn has come.
enum PreparedDraft: Sendable {
  case send(ClientEventDraft)
  case unnecessary(EventID)
}

/// One request to send an event, and who waits for its end.
struct SubmissionJob: Sendable {
  var draft: ClientEventDraft
  let requester: Requester
  let preparation: SubmissionPreparation?
  let extraUsers: [UserID]
  let continuation: CheckedContinuation<EventID, any Error>

  /// The transaction of the device, if the request has one.
  var transaction: EventStore.DeviceTransaction? {
    guard let txnID = draft.transactionID, let deviceID = requester.deviceID else { return nil }
    return EventStore.DeviceTransaction(
      userID: requester.userID, deviceID: deviceID, txnID: txnID, path: draft.path)
  }
}

/// Events that were built one upon the other and go to the persister together.
struct SubmissionBatch: Sendable {
  /// The hold that keeps the room from being deleted until the batch is stored.
  let hold: RoomLocks.Hold
  /// The events that the first one follows.
  let start: [EventID]
  /// The state of the chain behind the last event.
  var chain: EventChain
  var events: [SubmittedEvent] = []
  /// The jobs of the events, in the same order.
  var jobs: [SubmissionJob] = []
  /// Those who asked for state that another job of the batch, not persisted yet, has just made.
  var followers: [(job: SubmissionJob, eventID: EventID)] = []

  init(at chain: EventChain, holding hold: RoomLocks.Hold) {
    self.hold = hold
    start = chain.prevEvents
    self.chain = chain
  }

  var hasState: Bool { events.contains { $0.created.event.isState } }
}
