import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Synchronization

/// A maker of batches out of the jobs of a room, which delivers them one after the other.
protocol RoomBatchWorker<Job, Batch>: Sendable {
  associatedtype Job: Sendable
  associatedtype Batch: Sendable

  /// Works on jobs as far as it goes before they are delivered; deals with failures itself.
  ///
  /// - Parameters:
  ///   - batch: a batch to which the jobs are added; nil to begin one.
  ///   - underWay: the batch that is being delivered, which a new one has to follow; nil when there is none.
  /// - Returns: what is to be delivered; nil when nothing is.
  func prepare(_ jobs: [Job], for batch: Batch?, after underWay: Batch?, room: RoomID) async -> Batch?

  /// Delivers a batch; deals with failures itself.
  ///
  /// - Parameter whenVisible: may be called, once, when what follows can be delivered, though this delivery has not ended.
  ///   Should it fail after that, those that follow fail, too.
  /// - Returns: whether it was delivered as it is. Otherwise what was prepared to follow it is prepared again.
  func deliver(_ batch: Batch, room: RoomID, whenVisible: @escaping @Sendable () -> Void) async -> Bool

  /// Ends what was begun for a batch that is not going to be delivered, before its jobs are prepared again.
  func abandon(_ batch: Batch)

  /// Returns whether further jobs may be prepared upon a batch, either to go with it or to follow it while it is
  /// delivered.
  func mayGrow(_ batch: Batch) -> Bool

  /// Returns whether a batch may be prepared while this one is being delivered.
  func mayBeFollowed(_ batch: Batch, room: RoomID) async -> Bool

  /// Lists the jobs of a batch.
  func jobs(of batch: Batch) -> [Job]
}

/// The queues of rooms: while a batch of a room is being delivered, what arrives is prepared and then goes together.
///
/// Within a room, jobs are done in the order in which they were submitted; rooms do not wait for each other.
final class SubmissionQueues<Worker: RoomBatchWorker>: Sendable {
  typealias Job = Worker.Job
  private enum Outcome { case refused, queued, starts }

  private struct Queue {
    var waiting: [Job] = []
    /// Whether the delivery that has ended succeeded; nil before the first.
    var isDelivered: Bool?
    /// Resumed when a job or the end of a delivery has come.
    var sleeper: CheckedContinuation<Void, Never>?
  }

  /// The limit on jobs that wait in one room; what comes on top is refused.
  private let capacity: Int
  /// The limit on jobs that are taken at once.
  private let batchLimit: Int
  private let queues = Mutex<[RoomID: Queue]>([:])
  private let worker: Worker

  /// Makes the queues.
  init(capacity: Int = 1000, batchLimit: Int = 64, worker: Worker) {
    self.capacity = capacity
    self.batchLimit = batchLimit
    self.worker = worker
  }

  /// Adds a job, which is then done sooner or later.
  ///
  /// - Returns: false when too many are waiting already; the job is dropped then.
  func submit(_ job: Job, room: RoomID) -> Bool {
    let (outcome, sleeper): (Outcome, CheckedContinuation<Void, Never>?) = queues.withLock { queues in
      guard let queue = queues[room] else {
        queues[room] = Queue(waiting: [job])
        return (.starts, nil)
      }
      guard queue.waiting.count < capacity else { return (.refused, nil) }
      queues[room]?.waiting.append(job)
      queues[room]?.sleeper = nil
      return (.queued, queue.sleeper)
    }
    sleeper?.resume()
    if outcome == .starts { Task { await self.drain(room) } }
    return outcome != .refused
  }

  private func drain(_ room: RoomID) async {
    var underWay: Worker.Batch?
    var prepared: Worker.Batch?
    while true {
      if let isDelivered = takeOutcome(room) {
        underWay = nil
        if !isDelivered, let hanging = prepared {
          worker.abandon(hanging)
          prepared = await worker.prepare(worker.jobs(of: hanging), for: nil, after: nil, room: room)
        }
      }
      if underWay == nil, let batch = prepared {
        underWay = batch
        prepared = nil
        Task {
          let end = Once<Bool> { [self] in self.end($0, room: room) }
          end(await self.worker.deliver(batch, room: room, whenVisible: { end(true) }))
        }
      }
      if await mayPrepare(prepared, underWay, room) {
        let jobs = nextJobs(room)
        if !jobs.isEmpty {
          prepared = await worker.prepare(jobs, for: prepared, after: underWay, room: room)
          continue
        }
        if underWay == nil, prepared == nil {
          if close(room) { return }
          continue
        }
        await sleep(room, forJobs: true)
      } else {
        await sleep(room, forJobs: false)
      }
    }
  }

  private func mayPrepare(_ prepared: Worker.Batch?, _ underWay: Worker.Batch?, _ room: RoomID) async -> Bool {
    if let prepared { return worker.mayGrow(prepared) }
    guard let underWay else { return true }
    return await worker.mayBeFollowed(underWay, room: room)
  }

  private func takeOutcome(_ room: RoomID) -> Bool? {
    queues.withLock { queues in
      defer { queues[room]?.isDelivered = nil }
      return queues[room]?.isDelivered
    }
  }

  private func end(_ isDelivered: Bool, room: RoomID) {
    let sleeper = queues.withLock { queues in
      defer { queues[room]?.sleeper = nil }
      queues[room]?.isDelivered = isDelivered
      return queues[room]?.sleeper
    }
    sleeper?.resume()
  }

  /// Waits for the end of the delivery under way, or for a job as well.
  private func sleep(_ room: RoomID, forJobs: Bool) async {
    while true {
      await withCheckedContinuation { continuation in
        let isAwake = queues.withLock { queues in
          guard let queue = queues[room], queue.isDelivered == nil, !forJobs || queue.waiting.isEmpty else {
            return true
          }
          queues[room]?.sleeper = continuation
          return false
        }
        if isAwake { continuation.resume() }
      }
      // A job that came does not count unless it is waited for.
      if forJobs || queues.withLock({ $0[room]?.isDelivered != nil }) { return }
    }
  }

  /// Takes what is waiting, as many as go at once.
  private func nextJobs(_ room: RoomID) -> [Job] {
    queues.withLock { queues in
      guard let jobs = queues[room]?.waiting.prefix(batchLimit) else { return [] }
      queues[room]?.waiting.removeFirst(jobs.count)
      return Array(jobs)
    }
  }

  /// Ends the queue unless something has come.
  private func close(_ room: RoomID) -> Bool {
    queues.withLock { queues in
      guard queues[room]?.waiting.isEmpty == true else { return false }
      queues[room] = nil
      return true
    }
  }
}
