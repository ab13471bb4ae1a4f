import MatrixEvents
import MatrixPrimitives
import Synchronization

/// Keeps one queue a room: while a batch of a room is being worked on, what arrives waits and then goes together.
///
/// Within a room, jobs are done in the order in which they were submitted; rooms do not wait for each other.
final class RoomSendQueues<Job: Sendable>: Sendable {
  private enum Outcome { case refused, queued, starts }

  private struct Queue {
    var waiting: [Job] = []
  }

  /// Bounds the jobs that wait in one room; what comes on top is refused.
  private let capacity: Int
  /// Bounds the jobs of one batch.
  private let batchLimit: Int
  private let queues = Mutex<[RoomID: Queue]>([:])
  private let work: @Sendable (RoomID, [Job]) async -> Void

  /// Makes the queues.
  ///
  /// - Parameter work: does a batch; it deals with failures itself.
  init(capacity: Int = 1000, batchLimit: Int = 64, work: @escaping @Sendable (RoomID, [Job]) async -> Void) {
    self.capacity = capacity
    self.batchLimit = batchLimit
    self.work = work
  }

  /// Adds a job, which is then done sooner or later.
  ///
  /// - Returns: false when too many are waiting already; the job is dropped then.
  func submit(_ job: Job, room: RoomID) -> Bool {
    let outcome: Outcome = queues.withLock { queues in
      guard let queue = queues[room] else {
        queues[room] = Queue(waiting: [job])
        return .starts
      }
      guard queue.waiting.count < capacity else { return .refused }
      queues[room]?.waiting.append(job)
      return .queued
    }
    if outcome == .starts { Task { await self.drain(room) } }
    return outcome != .refused
  }

  private func drain(_ room: RoomID) async {
    while let batch = nextBatch(room) { await work(room, batch) }
  }

  /// Takes what is waiting; nil, and the end of the queue, when nothing is.
  private func nextBatch(_ room: RoomID) -> [Job]? {
    queues.withLock { queues in
      guard var queue = queues[room], !queue.waiting.isEmpty else {
        queues[room] = nil
        return nil
      }
      let batch = Array(queue.waiting.prefix(batchLimit))
      queue.waiting.removeFirst(batch.count)
      queues[room] = queue
      return batch
    }
  }
}
