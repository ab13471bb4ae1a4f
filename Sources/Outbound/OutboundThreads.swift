import Synchronization
import Threads

/// A few threads of the system's for work that blocks: they come with the work and go when there is none.
final class OutboundThreads: Sendable {
  private struct State {
    var waiting: [@Sendable () -> Void] = []
    var running = 0
  }

  private let most: Int
  private let mostWaiting: Int
  private let state = Mutex(State())

  /// Makes a pool.
  ///
  /// - Parameters:
  ///   - most: how many jobs run at the same time.
  ///   - mostWaiting: how many wait before more are refused.
  init(most: Int, mostWaiting: Int) {
    self.most = most
    self.mostWaiting = mostWaiting
  }

  /// Runs a job on one of the threads.
  ///
  /// - Throws: ``OutboundError/busy`` when too many wait.
  func run<Result: Sendable>(_ job: @escaping @Sendable () -> Result) async throws(OutboundError) -> Result {
    let result: Result? = await withCheckedContinuation { continuation in
      if !submit({ continuation.resume(returning: job()) }) { continuation.resume(returning: nil) }
    }
    guard let result else { throw .busy }
    return result
  }

  private func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
    enum Decision { case start, wait, refuse }
    let decision = state.withLock { state -> Decision in
      if state.running < most {
        state.running += 1
        return .start
      }
      guard state.waiting.count < mostWaiting else { return .refuse }
      state.waiting.append(job)
      return .wait
    }
    switch decision {
    case .refuse: return false
    case .wait: return true
    case .start:
      BlockingThread.start("outbound" as String) { [self] in
        var next: (@Sendable () -> Void)? = job
        while let job = next {
          job()
          next = takeNext()
        }
      }
      return true
    }
  }

  private func takeNext() -> (@Sendable () -> Void)? {
    state.withLock { state in
      if state.waiting.isEmpty {
        state.running -= 1
        return nil
      }
      return state.waiting.removeFirst()
    }
  }
}
