import ByteText
import Synchronization
import TestSupport
import Testing

@testable import StorageEngine

@Suite("Cache")
struct CacheTests {
  private final class Counter: Sendable {
    private let value = Mutex(0)
    func next() -> Int {
      value.withLock {
        $0 += 1
        return $0
      }
    }
    var count: Int { value.withLock { $0 } }
  }

  @Test("A value is loaded once and then kept")
  func keeps() async throws {
    let cache = Cache<Text, Int>(name: "test", capacity: 10)
    let counter = Counter()
    for _ in 0..<5 { #expect(try await cache.value("a") { counter.next() } == 1) }
    #expect(counter.count == 1)
  }

  @Test("All of many keys are there, or the answer is none")
  func peeksAll() async throws {
    let cache = Cache<Text, Int>(name: "test", capacity: 10)
    cache.insert("a", 1)
    cache.insert("b", 2)
    #expect(cache.peek(all: ["b", "a", "b"]) == [2, 1, 2])
    #expect(cache.peek(all: ["a", "c"]) == nil)
    #expect(cache.peek(all: [])?.isEmpty == true)
  }

  @Test("Many who ask at once share one load")
  func singleFlight() async throws {
    let cache = Cache<Text, Int>(name: "test", capacity: 10)
    let counter = Counter()
    let gate = Gate()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<20 {
        group.addTask {
          try await cache.value("a") {
            await gate.wait()
            return counter.next()
          }
        }
      }
      gate.open()
      for try await value in group { #expect(value == 1) }
    }
    #expect(counter.count == 1)
  }

  @Test("A load that an invalidation overtakes is answered but not kept")
  func overtaken() async throws {
    let cache = Cache<Text, Int>(name: "test", capacity: 10)
    let started = Gate()
    let gate = Gate()
    async let old = cache.value("a") {
      started.open()
      await gate.wait()
      return 1
    }
    await started.wait()
    cache.invalidate("a")
    #expect(try await cache.value("a") { 2 } == 2)
    gate.open()
    #expect(try await old == 1)
    #expect(cache.peek("a") == 2)
  }

  @Test("An invalidation during one of two overlapping bulk loads keeps both from storing")
  func overlappingBulkLoads() async throws {
    let cache = Cache<Text, Int>(name: "test", capacity: 10)
    let secondRuns = Gate()
    let gate = Gate()
    async let second = cache.values(["a"]) { _ in
      secondRuns.open()
      await gate.wait()
      return ["a": 1]
    }
    await secondRuns.wait()
    _ = try await cache.values(["a"]) { _ in ["a": 1] }
    cache.invalidate("a")
    gate.open()
    #expect(try await second == ["a": 1])
    #expect(cache.peek("a") == nil)
  }

  @Test("A bulk load asks for each missing key once")
  func bulk() async throws {
    let cache = Cache<Text, Int>(name: "test", capacity: 10)
    cache.insert("a", 1)
    let found = try await cache.values(["a", "b", "b", "c"]) { missing in
      #expect(missing == ["b", "c"])
      return ["b": 2]
    }
    #expect(found == ["a": 1, "b": 2])
    #expect(cache.peek("c") == nil)
  }

  @Test("A failed load is not kept, and the next one tries again")
  func failure() async throws {
    struct Failure: Error {}
    let cache = Cache<Text, Int>(name: "test", capacity: 10)
    await #expect(throws: Failure.self) { try await cache.value("a") { throw Failure() } }
    #expect(try await cache.value("a") { 7 } == 7)
  }

  @Test("The budget holds whatever is stored, and what was used stays longest")
  func budget() {
    let cache = Cache<Int, Int>(name: "test", byteBudget: 100) { _, value in value }
    cache.insert(-1, 5)
    var generator = SystemRandomNumberGenerator()
    for key in 0..<5_000 {
      cache.insert(key, Int.random(in: 1...20, using: &generator))
      #expect(cache.peek(-1) == 5)
      #expect(cache.statistics.weight <= 100)
    }
    #expect(cache.statistics.count <= 100)
    cache.insert(9_999, 101)
    #expect(cache.peek(9_999) == nil)
    cache.invalidateAll()
    #expect(cache.statistics.count == 0)
    #expect(cache.statistics.weight == 0)
  }

  @Test("What nobody uses goes, a step at a time; what is used stays")
  func expires() {
    let cache = Cache<Int, Int>(name: "test", capacity: 100_000)
    for key in 0..<5_000 { cache.insert(key, key) }
    for step in 1...300 {
      cache.expire(unusedFor: 3)
      #expect(cache.peek(7) == 7)
      if step == 2 { #expect(cache.statistics.count == 5_001) }
      if step == 1 { cache.insert(-1, -1) }
      if step == 3 { #expect(cache.statistics.count == 2) }
    }
    #expect(cache.statistics.count == 1 && cache.statistics.weight == 1)
    for key in 0..<200_000 { cache.insert(key, key) }
    #expect(cache.statistics.count == 100_000)
  }
}

@Suite("Stream change cache")
struct StreamChangeCacheTests {
  @Test("Nothing is known before the start")
  func unknown() {
    let cache = StreamChangeCache(name: "test")
    #expect(cache.hasChanged("a", since: 5))
    #expect(cache.changed(of: ["a"], since: 5) == nil)
    cache.start(at: 10)
    #expect(!cache.hasChanged("a", since: 10))
    #expect(cache.hasChanged("a", since: 9))
  }

  @Test("Changes after a position are told, in any order of arrival")
  func changes() {
    let cache = StreamChangeCache(name: "test", earliestKnown: 0)
    cache.entityChanged("a", at: 5)
    cache.entityChanged("b", at: 3)
    cache.entityChanged("a", at: 4)
    cache.entityChanged("c", at: 9)
    #expect(cache.changed(of: ["a", "b", "c"], since: 4) == ["a", "c"])
    #expect(cache.allChanged(since: 2) == ["b", "a", "c"])
    #expect(cache.allChanged(since: 9) == [])
    #expect(!cache.hasChanged("b", since: 3))
    #expect(cache.hasAnyChanged(since: 8))
    #expect(!cache.hasAnyChanged(since: 9))
  }

  @Test("What was evicted is unknown, never unchanged")
  func eviction() {
    let cache = StreamChangeCache(name: "test", earliestKnown: 0, capacity: 2)
    for (position, entity) in (["a", "b", "c", "a"] as [Text]).enumerated() {
      cache.entityChanged(entity, at: Int64(position + 1))
    }
    #expect(cache.allChanged(since: 0) == nil)
    #expect(cache.hasChanged("z", since: 1))
    #expect(cache.allChanged(since: 2) == ["c", "a"])
  }
}
