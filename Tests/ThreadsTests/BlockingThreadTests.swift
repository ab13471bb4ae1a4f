import FoundationEssentials
import Synchronization
import Testing

@testable import Threads

struct BlockingThreadTests {
  @Test func threadRunsUnderItsName() async {
    let name = await withCheckedContinuation { continuation in
      BlockingThread.start("test") {
        continuation.resume(returning: try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8))
      }
    }
    #expect(name == "test\n")
  }

  @Test func sleepLastsAtLeastAsLongAsAsked() {
    let begun = ContinuousClock.now
    BlockingThread.sleep(for: .milliseconds(30))
    #expect(ContinuousClock.now - begun >= .milliseconds(30))
    BlockingThread.sleep(for: .seconds(-1))
  }

  @Test func waitEndsAtItsTime() {
    let condition = BlockingCondition()
    condition.lock()
    defer { condition.unlock() }
    let begun = ContinuousClock.now
    while condition.wait(for: .milliseconds(30) - (ContinuousClock.now - begun)) {}
    #expect(ContinuousClock.now - begun >= .milliseconds(30))
  }

  private final class Door: Sendable {
    private let condition = BlockingCondition()
    private let isOpen = Mutex(false)

    func open() {
      condition.lock()
      isOpen.withLock { $0 = true }
      condition.broadcast()
      condition.unlock()
    }

    func pass(within limit: Duration?) {
      condition.lock()
      while !isOpen.withLock({ $0 }) {
        if let limit { _ = condition.wait(for: limit) } else { condition.wait() }
      }
      condition.unlock()
    }
  }

  @Test(arguments: [nil, Duration.seconds(600)]) func everyWaiterIsWoken(_ limit: Duration?) async {
    let door = Door()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          await withCheckedContinuation { continuation in
            BlockingThread.start("test") {
              door.pass(within: limit)
              continuation.resume()
            }
          }
        }
      }
      BlockingThread.start("test") { door.open() }
    }
  }
}
