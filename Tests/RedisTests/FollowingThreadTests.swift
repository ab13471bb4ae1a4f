import ByteText
import FoundationEssentials
import Synchronization
import Testing

@testable import Redis

@Suite(.timeLimit(.minutes(1))) struct FollowingThreadTests {
  private static var threadName: Text? {
    (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)).map { Text($0) }
  }

  @Test func whatIsGivenRunsInItsOrderOnTheThread() async {
    let thread = FollowingThread()
    let (seen, continuation) = AsyncStream.makeStream(of: (Int, Text?).self)
    for number in 0..<1000 { thread.execute { continuation.yield((number, Self.threadName)) } }
    thread.execute { continuation.finish() }
    var expected = 0
    for await (number, name) in seen {
      #expect(number == expected)
      #expect(name == "redis-follow\n")
      expected += 1
    }
    #expect(expected == 1000)
  }

  @Test func tasksRunOnTheThreadAlsoAfterTheyHaveWaited() async {
    let thread = FollowingThread()
    let names = await Task(executorPreference: thread) {
      var names = [Self.threadName]
      try? await Task.sleep(for: .milliseconds(5))
      names.append(Self.threadName)
      await Task.yield()
      names.append(Self.threadName)
      return names
    }.value
    #expect(names == Array(repeating: "redis-follow\n", count: 3))
  }

  private final class Counter: Sendable { let count = Atomic(0) }

  @Test func nothingIsLostBetweenManyGivers() async {
    let thread = FollowingThread()
    let counter = Counter()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for round in 0..<2000 {
            thread.execute { counter.count.add(1, ordering: .relaxed) }
            // Lets the thread fall asleep now and then.
            if round % 100 == 0 { try? await Task.sleep(for: .milliseconds(1)) }
          }
        }
      }
    }
    await withCheckedContinuation { continuation in thread.execute { continuation.resume() } }
    #expect(counter.count.load(ordering: .relaxed) == 16_000)
  }
}
