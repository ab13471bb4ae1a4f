import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import Stores

/// Sends the events of this server's users.
///
/// Sends into one room are worked on in batches: while one batch is being persisted the next gathers, is then built as a chain
/// (each event following the one before) and persisted in one transaction. So many senders in one room cost one commit, and the
/// room's history does not fork.
public final class EventSender: Sendable {
  /// Looks at a draft when its turn has come, with the room's state before it: may change the draft, refuse it by throwing,
  /// or answer with an event that makes it unnecessary.
  typealias Preparation = @Sendable (_ draft: ClientEventDraft, _ chain: EventChain) async throws -> Prepared

  enum Prepared: Sendable {
    case send(ClientEventDraft)
    case unnecessary(EventID)
  }

  private struct Job: Sendable {
    let draft: ClientEventDraft
    let requester: Requester
    let preparation: Preparation?
    let extraUsers: [UserID]
    let continuation: CheckedContinuation<EventID, any Error>
  }

  private struct Batch {
    var events: [CreatedEvent] = []
    var jobs: [Job] = []
    /// Holds those who asked for state that another job of the batch, not persisted yet, has just made.
    var followers: [(Job, EventID)] = []
  }

  let creator: EventCreator
  private let storage: Storage
  private let delivery: EventDelivery
  private let relations: RelationValidator
  private let rateLimiter: RoomRateLimiter
  private let users: LocalUsers
  private let transactions = TransactionRegister()
  private let logger: Logger
  private let queues: LateQueues

  /// Breaks the circle between the sender and its queues.
  private final class LateQueues: Sendable {
    let queues: RoomSendQueues<Job>
    init(_ work: @escaping @Sendable (RoomID, [Job]) async -> Void) { queues = RoomSendQueues(work: work) }
  }

  init(
    creator: EventCreator, storage: Storage, delivery: EventDelivery, users: LocalUsers, rateLimiter: RoomRateLimiter,
    logger: Logger
  ) {
    self.creator = creator
    self.storage = storage
    self.delivery = delivery
    self.rateLimiter = rateLimiter
    self.users = users
    self.logger = logger
    relations = RelationValidator(storage: storage)
    let worker = BatchWorker(creator: creator, storage: storage, delivery: delivery, logger: logger)
    queues = LateQueues { room, jobs in await worker.work(room, jobs) }
  }

  /// Sends an event that is no membership, and returns when it can be read everywhere in this process.
  ///
  /// Repeating a transaction id of the same device returns the event of the first request; state that is as asked already
  /// returns the event that made it so.
  ///
  /// - Parameters:
  ///   - ratelimit: whether `rc_message` applies.
  /// - Throws: `MatrixError`: 400 for contents that may not be, 403 for what the user may not do, 413 for events too large,
  ///   429 when the user or the room is too busy.
  public func send(_ draft: ClientEventDraft, requester: Requester, ratelimit: Bool = true) async throws -> EventID {
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

  /// Sends an event in its turn, after a last look at the room's state.
  func send(
    _ draft: ClientEventDraft, requester: Requester, extraUsers: [UserID] = [], preparation: @escaping Preparation
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
    throw MatrixError.custom(
      status: 403, errcode: "M_USER_SUSPENDED",
      message: "Sending messages while account is suspended is not allowed.", extras: [:])
  }

  private func isAdminRedaction(_ draft: ClientEventDraft, _ requester: Requester) async throws -> Bool {
    guard draft.type == "m.room.redaction" else { return false }
    let target = draft.redacts ?? draft.content["redacts"]?.string.flatMap { EventID($0) }
    guard let target, let original = try await storage.events.event(target) else { return false }
    return original.sender != requester.userID
  }

  /// Runs `body` once a transaction. What this process does not remember the room's queue looks up, for a batch at once.
  private func once(
    _ draft: ClientEventDraft, _ requester: Requester, _ body: @escaping @Sendable () async throws -> EventID
  ) async throws -> EventID {
    guard let transactionID = draft.transactionID else { return try await body() }
    let session = requester.deviceID.map { "d" + $0 } ?? requester.accessTokenID.map { "t\($0)" } ?? "-"
    let key = TransactionRegister.Key(
      userID: requester.userID, session: session, roomID: draft.roomID, transactionID: transactionID)
    return try await transactions.run(key, body)
  }

  private func enqueue(
    _ draft: ClientEventDraft, requester: Requester, extraUsers: [UserID] = [], preparation: Preparation? = nil
  ) async throws -> EventID {
    try await withCheckedThrowingContinuation { continuation in
      let job = Job(
        draft: draft, requester: requester, preparation: preparation, extraUsers: extraUsers,
        continuation: continuation)
      if !queues.queues.submit(job, room: draft.roomID) {
        continuation.resume(throwing: MatrixError.limitExceeded(retryAfterMilliseconds: 1000))
      }
    }
  }

  /// Works on the batches that the queues hand out.
  private struct BatchWorker: Sendable {
    let creator: EventCreator
    let storage: Storage
    let delivery: EventDelivery
    let logger: Logger

    func work(_ room: RoomID, _ jobs: [Job]) async {
      guard let first = jobs.first else { return }
      var batch = Batch()
      do {
        async let earlier = storage.events.eventIDs(roomID: room, transactions: jobs.compactMap(Self.transaction))
        var chain = try await creator.chain(at: room, for: first.requester.userID)
        let sent = try await earlier
        for job in jobs {
          if let eventID = Self.transaction(job).flatMap({ sent[$0] }) {
            job.continuation.resume(returning: eventID)
          } else {
            await create(job, on: &chain, into: &batch)
          }
        }
      } catch {
        for job in jobs { job.continuation.resume(throwing: error) }
        return
      }
      await deliver(batch, room: room)
    }

    private static func transaction(_ job: Job) -> EventStore.DeviceTransaction? {
      guard let txnID = job.draft.transactionID, let deviceID = job.requester.deviceID else { return nil }
      return EventStore.DeviceTransaction(userID: job.requester.userID, deviceID: deviceID, txnID: txnID)
    }

    /// Builds the event of one job; a failure is that job's alone.
    private func create(_ job: Job, on chain: inout EventChain, into batch: inout Batch) async {
      do {
        var draft = job.draft
        if let preparation = job.preparation {
          switch try await preparation(draft, chain) {
          case .send(let prepared): draft = prepared
          case .unnecessary(let eventID): return answer(job, eventID, &batch)
          }
        }
        switch try await creator.create(draft, requester: job.requester, on: &chain) {
        case .created(let event):
          batch.events.append(event)
          batch.jobs.append(job)
        case .duplicate(let eventID): answer(job, eventID, &batch)
        }
      } catch {
        job.continuation.resume(throwing: error)
      }
    }

    private func answer(_ job: Job, _ eventID: EventID, _ batch: inout Batch) {
      if batch.events.contains(where: { $0.event.eventID == eventID }) {
        batch.followers.append((job, eventID))
      } else {
        job.continuation.resume(returning: eventID)
      }
    }

    /// Tells an error that comes of an event from one that would meet every other as well.
    private static func blamesOneEvent(_ error: any Error) -> Bool {
      if let error = error as? MatrixError { return error.status < 500 }
      return (error as? PostgresError)?.constraint != nil
    }

    private func deliver(_ batch: Batch, room: RoomID) async {
      guard !batch.events.isEmpty else { return }
      let outgoing = zip(batch.events, batch.jobs).map { event, job in
        OutgoingEvent(created: event, requester: job.requester, extraUsers: job.extraUsers)
      }
      do {
        let eventIDs = try await delivery.deliver(outgoing, room: room)
        for (job, eventID) in zip(batch.jobs, eventIDs) { job.continuation.resume(returning: eventID) }
        let answers = Dictionary(
          zip(batch.events.map(\.event.eventID), eventIDs), uniquingKeysWith: { first, _ in first })
        for (job, eventID) in batch.followers { job.continuation.resume(returning: answers[eventID] ?? eventID) }
      } catch let error where batch.jobs.count > 1 && Self.blamesOneEvent(error) {
        logger.info("A batch was refused; sending its events anew", metadata: ["room": "\(room.rawValue)"])
        await workAgain(room, batch.jobs + batch.followers.map(\.0))
      } catch {
        for job in batch.jobs { job.continuation.resume(throwing: error) }
        for (job, _) in batch.followers { job.continuation.resume(throwing: error) }
      }
    }

    /// Does the jobs of a refused batch again, as a batch without those whose transaction another process has carried out
    /// meanwhile. When there are none, one of the others was to blame, it is not said which: each is tried alone.
    private func workAgain(_ room: RoomID, _ jobs: [Job]) async {
      var rest: [Job] = []
      for job in jobs {
        if let eventID = await earlierEvent(of: job) {
          job.continuation.resume(returning: eventID)
        } else {
          rest.append(job)
        }
      }
      if rest.count < jobs.count { return await work(room, rest) }
      for job in rest { await work(room, [job]) }
    }

    private func earlierEvent(of job: Job) async -> EventID? {
      guard let transactionID = job.draft.transactionID, let deviceID = job.requester.deviceID else { return nil }
      // When looking fails the job is just done again: the persister looks, too.
      return try? await storage.events.eventID(
        roomID: job.draft.roomID, userID: job.requester.userID, deviceID: deviceID, txnID: transactionID)
    }
  }
}
