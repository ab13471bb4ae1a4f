import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

/// Submits the events of this server's users: creates them and brings them to their persister.
///
/// Sends into one room are worked on in batches: while one batch is being persisted the next is built as a chain (each event
/// following the one before) and then persisted in one transaction. So many senders in one room cost one commit, and the room's
/// history does not fork.
public final class EventSubmitter: Sendable {
  let creator: EventCreator
  let stores: RoomStores
  private let delivery: PersisterDelivery
  private let relations: RelationValidator
  private let rateLimiter: RoomRateLimiter
  private let users: LocalUsers
  private let transactions = TransactionRegister<EventID>()
  private let logger: Logger
  private let queues: SubmissionQueues<SubmissionBatchWorker>

  /// The longest transaction id, in bytes: with its path, the room and the device it has to fit into the index of the table.
  private static let longestTransactionID = 1_024

  init(
    creator: EventCreator, stores: RoomStores, delivery: PersisterDelivery, users: LocalUsers,
    rateLimiter: RoomRateLimiter,
    locks: RoomLocks, logger: Logger
  ) {
    self.creator = creator
    self.stores = stores
    self.delivery = delivery
    self.rateLimiter = rateLimiter
    self.users = users
    self.logger = logger
    relations = RelationValidator(events: stores.events, store: stores.relations)
    queues = SubmissionQueues(
      worker: SubmissionBatchWorker(
        creator: creator, stores: stores, delivery: delivery, locks: locks, logger: logger))
  }

  /// Sends an event that is no membership, and returns when it can be read everywhere in this process.
  ///
  /// Repeating a transaction id of the same device on the same path returns the event of the first request; state that is as asked already
  /// returns the event that made it so.
  ///
  /// - Parameters:
  ///   - ratelimit: whether `rc_message` applies.
  /// - Throws: `MatrixError`: 400 for contents that may not be, 403 for what the user may not do, 413 for events too large,
  ///   429 when the user or the room is too busy.
  public func submit(_ draft: ClientEventDraft, requester: Requester, ratelimit: Bool = true) async throws -> EventID {
    if draft.type == "m.room.member" {
      throw MatrixError.unknown("Membership events are sent by joining, inviting and so on", status: 400)
    }
    if requester.isShadowBanned { return try await Self.pretend() }
    try await checkSuspension(draft, requester)
    return try await once(draft, requester) {
      if ratelimit {
        let action: RateLimitedAction = try await self.isAdminRedaction(draft, requester) ? .adminRedaction : .message
        try await self.rateLimiter.check(action, requester)
      }
      try await self.relations.check(draft, sender: requester.userID)
      return try await self.enqueue(draft, requester: requester)
    }
  }

  /// Counts a request that sends nothing as one that does (`rc_message`).
  ///
  /// - Throws: `MatrixError` 429.
  public func checkRate(_ requester: Requester) async throws { try await rateLimiter.check(.message, requester) }

  /// Sends an event in its turn, after a last look at the room's state.
  func submit(
    _ draft: ClientEventDraft, requester: Requester, extraUsers: [UserID] = [],
    preparation: @escaping SubmissionPreparation
  ) async throws -> EventID {
    try await once(draft, requester) {
      try await self.enqueue(draft, requester: requester, extraUsers: extraUsers, preparation: preparation)
    }
  }

  /// Answers a shadow-banned user as if the event had been sent: after a while, with an id that names nothing.
  static func pretend() async throws -> EventID {
    try await Task.sleep(for: .seconds(Int.random(in: 1...10)))
    return EventID(unchecked: "$" + RandomString.alphanumeric(43))
  }

  /// Lets a suspended user do nothing but redact what is theirs.
  private func checkSuspension(_ draft: ClientEventDraft, _ requester: Requester) async throws {
    guard try await users.isSuspended(requester.userID) else { return }
    if draft.type == "m.room.redaction", try await !isAdminRedaction(draft, requester) { return }
    throw MatrixError(.userSuspended, "Sending messages while account is suspended is not allowed.")
  }

  private func isAdminRedaction(_ draft: ClientEventDraft, _ requester: Requester) async throws -> Bool {
    guard draft.type == "m.room.redaction" else { return false }
    let target = draft.redacts ?? draft.content["redacts"]?.string.flatMap { EventID($0) }
    guard let target, let original = try await stores.events.event(target) else { return false }
    return original.sender != requester.userID
  }

  /// Runs `body` once a transaction. What this process does not remember the room's queue looks up, for a batch at once.
  private func once(
    _ draft: ClientEventDraft, _ requester: Requester, _ body: @escaping @Sendable () async throws -> EventID
  ) async throws -> EventID {
    guard let transactionID = draft.transactionID else { return try await body() }
    // What the database cannot take would fail everything that is stored together with it.
    guard transactionID.utf8.count <= Self.longestTransactionID, !transactionID.contains(0) else {
      throw MatrixError.invalidParam("The transaction ID is too long or has a character that may not be")
    }
    let session = requester.deviceID.map { "d" + $0 } ?? requester.accessTokenID.map { "t\($0)" } ?? "-"
    let key = TransactionRegister<EventID>.Key(
      userID: requester.userID, session: session, roomID: draft.roomID, transactionID: transactionID, path: draft.path)
    return try await transactions.run(key, body)
  }

  private func enqueue(
    _ draft: ClientEventDraft, requester: Requester, extraUsers: [UserID] = [],
    preparation: SubmissionPreparation? = nil
  ) async throws -> EventID {
    try await withCheckedThrowingContinuation { continuation in
      let job = SubmissionJob(
        draft: draft, requester: requester, preparation: preparation, extraUsers: extraUsers,
        continuation: continuation)
      if !queues.submit(job, room: draft.roomID) {
        continuation.resume(throwing: MatrixError.limitExceeded(retryAfterMilliseconds: 1000))
      }
    }
  }
}
