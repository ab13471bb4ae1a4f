import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores

/// The worker that builds the events of a room's waiting jobs as a chain, and delivers them.
///
/// While a batch is being stored in this process the next one is built upon it, from memory. It is handed on when others can
/// see the first, whose senders are answered when it is on disk. When storing it fails, the next one is built anew.
struct SubmissionBatchWorker: RoomBatchWorker {
  /// The limit on events in one batch.
  private static let largestBatch = 64

  let creator: EventCreator
  let stores: RoomStores
  let delivery: PersisterDelivery
  let locks: RoomLocks
  let logger: Logger

  func jobs(of batch: SubmissionBatch) -> [SubmissionJob] { batch.jobs + batch.followers.map(\.job) }

  func abandon(_ batch: SubmissionBatch) { batch.hold.release() }

  func mayGrow(_ batch: SubmissionBatch) -> Bool { batch.events.count < Self.largestBatch }

  /// Lets messages be followed by whatever comes; what changes the state must be stored first, since much is worked out from
  /// the stored state. When others have written to the room as well, the next batch has to join their branch.
  func mayBeFollowed(_ batch: SubmissionBatch, room: RoomID) async -> Bool {
    guard delivery.isLocal(room), !batch.hasState else { return false }
    guard let edge = try? await stores.rooms.forwardExtremities(room).keys else { return false }
    return Set(edge) == Set(batch.start) || Array(edge) == batch.chain.prevEvents
  }

  func prepare(
    _ jobs: [SubmissionJob], for batch: SubmissionBatch?, after underWay: SubmissionBatch?, room: RoomID
  ) async -> SubmissionBatch? {
    guard let first = jobs.first else { return batch }
    do {
      async let earlier = earlierEvents(of: jobs, room: room)
      var batch =
        if let batch { batch } else {
          try await self.batch(in: room, after: underWay, for: first.requester.userID)
        }
      let sent = try await earlier
      for job in jobs {
        if let eventID = job.transaction.flatMap({ sent[$0] }) {
          job.continuation.resume(returning: eventID)
        } else {
          await create(job, into: &batch)
        }
      }
      return batch.events.isEmpty ? nil : batch
    } catch {
      for job in jobs { job.continuation.resume(throwing: error) }
      return batch
    }
  }

  private func batch(in room: RoomID, after underWay: SubmissionBatch?, for sender: UserID) async throws
    -> SubmissionBatch
  {
    let hold = try await locks.hold(room)
    let chain = if let underWay { underWay.chain } else { try await creator.chain(at: room, for: sender) }
    return SubmissionBatch(at: chain, holding: hold)
  }

  /// Finds the events of jobs whose transaction has been carried out already. The persister in this process does so itself,
  /// together with those of other rooms.
  private func earlierEvents(
    of jobs: [SubmissionJob], room: RoomID
  ) async throws -> [EventStore.DeviceTransaction: EventID] {
    if delivery.isLocal(room) { return [:] }
    return try await stores.events.eventIDs(roomID: room, transactions: jobs.compactMap(\.transaction))
  }

  /// Builds the event of one job; a failure is that job's alone.
  private func create(_ job: SubmissionJob, into batch: inout SubmissionBatch) async {
    do {
      var draft = job.draft
      if let preparation = job.preparation {
        switch try await preparation(draft, batch.chain) {
        case .send(let prepared): draft = prepared
        case .unnecessary(let eventID): return answer(job, eventID, &batch)
        }
      }
      var chain = batch.chain
      switch try await creator.create(draft, requester: job.requester, on: &chain) {
      case .created(let event):
        let outgoing = try await delivery.outgoing(event, requester: job.requester, extraUsers: job.extraUsers)
        batch.chain = chain
        batch.events.append(outgoing)
        batch.jobs.append(job)
      case .duplicate(let eventID): answer(job, eventID, &batch)
      }
    } catch {
      // What may not be sent any more may have been sent before.
      if let eventID = await earlierEvent(of: job) { return job.continuation.resume(returning: eventID) }
      job.continuation.resume(throwing: error)
    }
  }

  private func answer(_ job: SubmissionJob, _ eventID: EventID, _ batch: inout SubmissionBatch) {
    if batch.events.contains(where: { $0.created.event.eventID == eventID }) {
      batch.followers.append((job, eventID))
    } else {
      job.continuation.resume(returning: eventID)
    }
  }

  // MARK: delivering

  func deliver(_ batch: SubmissionBatch, room: RoomID, whenVisible: @escaping @Sendable () -> Void) async -> Bool {
    let jobs = jobs(of: batch)
    defer { batch.hold.release() }
    do {
      let delivered = try await delivery.deliver(batch.events, room: room, whenVisible: whenVisible)
      let given = batch.events.map(\.created.event.eventID)
      let mistaken = await mistakenForRepetitions(batch.jobs, given: given, became: delivered.eventIDs)
      let became = Dictionary(zip(given, delivered.eventIDs), uniquingKeysWith: { first, _ in first })
      let answers = delivered.eventIDs + batch.followers.map { became[$0.eventID] ?? $0.eventID }
      delivery.whenReadable(delivered) {
        for (index, eventID) in answers.enumerated() where !mistaken.contains(index) {
          jobs[index].continuation.resume(returning: eventID)
        }
      }
      for index in mistaken.sorted() {
        var job = jobs[index]
        job.draft.transactionID = nil
        await work(room, [job], beside: batch)
      }
      return delivered.eventIDs == given
    } catch let error where batch.jobs.count > 1 && Self.blamesOneEvent(error) {
      logger.info("A batch was refused; sending its events anew", metadata: ["room": "\(room.rawValue)"])
      await workAgain(room, jobs, beside: batch)
    } catch {
      for job in jobs { job.continuation.resume(throwing: error) }
    }
    return false
  }

  /// Lists the jobs that got the event of another request: a Synapse that persists takes the id alone for a repetition. Their
  /// events are sent anew, without the id.
  private func mistakenForRepetitions(_ jobs: [SubmissionJob], given: [EventID], became: [EventID]) async -> Set<Int> {
    guard given != became else { return [] }
    let suspects = jobs.indices.filter { given[$0] != became[$0] && jobs[$0].transaction != nil }
    // When the look-up fails the answer remains.
    let paths = try? await stores.events.transactionPaths(of: suspects.map { became[$0] })
    return Set(suspects.filter { index in paths?[became[index]].map { $0 != jobs[index].draft.path } ?? false })
  }

  /// Returns whether an error comes from one event, rather than from what would meet every other as well.
  private static func blamesOneEvent(_ error: any Error) -> Bool {
    if let error = error as? MatrixError { return error.status < 500 }
    return (error as? PostgresError).map { $0.constraint != nil || $0.refusesValue } ?? false
  }

  /// Does the jobs of a refused batch again, as a batch without those whose transaction has been carried out already. When
  /// there are none, one of the others was to blame, it is not said which: each is tried alone.
  private func workAgain(_ room: RoomID, _ jobs: [SubmissionJob], beside batch: SubmissionBatch) async {
    var rest: [SubmissionJob] = []
    for job in jobs {
      if let eventID = await earlierEvent(of: job) {
        job.continuation.resume(returning: eventID)
      } else {
        rest.append(job)
      }
    }
    if rest.count < jobs.count { return await work(room, rest, beside: batch) }
    for job in rest { await work(room, [job], beside: batch) }
  }

  /// Does jobs anew while the batch that they were in still has the room's lock: a batch that is prepared to follow it uses the lock, too, and
  /// waits for it to be delivered, so waiting for an old lock to be given back would never end.
  private func work(_ room: RoomID, _ jobs: [SubmissionJob], beside batch: SubmissionBatch) async {
    guard let first = jobs.first else { return }
    do {
      let chain = try await creator.chain(at: room, for: first.requester.userID)
      let begun = SubmissionBatch(at: chain, holding: locks.hold(room, beside: batch.hold))
      guard let next = await prepare(jobs, for: begun, after: nil, room: room), !next.events.isEmpty else { return }
      _ = await deliver(next, room: room, whenVisible: {})
    } catch {
      for job in jobs { job.continuation.resume(throwing: error) }
    }
  }

  private func earlierEvent(of job: SubmissionJob) async -> EventID? {
    guard let transaction = job.transaction else { return nil }
    // When looking fails the job is just done again: the persister looks, too.
    return try? await stores.events.eventID(roomID: job.draft.roomID, transaction: transaction)
  }
}
