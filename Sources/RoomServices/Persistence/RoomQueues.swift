import MatrixPrimitives
import Synchronization

/// Puts what is to be written into one line a room. What waits in a room's line is taken together, so that many events
/// cost one transaction; rooms do not wait for each other.
final class RoomQueues<Job: Sendable>: Sendable {
  private struct Line {
    var waiting: [Job] = []
    var isRunning = false
  }

  private let lines = Mutex<[RoomID: Line]>([:])
  private let work: @Sendable (RoomID, [Job]) async -> Void
  private let takes: @Sendable ([Job]) -> Int

  /// Makes the queues.
  ///
  /// - Parameters:
  ///   - takes: says how many of the waiting jobs (at least one) are done together.
  ///   - work: does jobs of one room, never two at a time for one room; must not fail.
  init(
    takes: @escaping @Sendable ([Job]) -> Int, work: @escaping @Sendable (RoomID, [Job]) async -> Void
  ) {
    self.takes = takes
    self.work = work
  }

  /// Adds a job at the end of a room's line.
  func add(_ job: Job, room: RoomID) {
    let mustStart = lines.withLock { lines in
      lines[room, default: Line()].waiting.append(job)
      if lines[room]?.isRunning == true { return false }
      lines[room]?.isRunning = true
      return true
    }
    if mustStart { Task { await drain(room) } }
  }

  private func drain(_ room: RoomID) async {
    while let jobs = next(room) { await work(room, jobs) }
  }

  private func next(_ room: RoomID) -> [Job]? {
    lines.withLock { lines in
      guard var line = lines[room], !line.waiting.isEmpty else {
        lines[room] = nil
        return nil
      }
      let count = min(max(takes(line.waiting), 1), line.waiting.count)
      let jobs = Array(line.waiting.prefix(count))
      line.waiting.removeFirst(count)
      lines[room] = line
      return jobs
    }
  }
}
