import ByteText
import Synchronization

/// Results of queries in memory within a budget, and never a result that an invalidation has overtaken.
///
/// Each key is loaded once however many ask at the same time. A load that was under way when its key was invalidated is
/// answered to those who asked before, but not kept; who asks after the invalidation starts a new load. Entries that
/// have not been used for the longest time go first, roughly: the eviction is a second-chance sweep (CLOCK), which costs
/// no list to maintain on a hit.
///
/// What is called for every event and request is `@inlinable`, so that modules that use a cache get it made for their types.
public final class Cache<Key: Hashable & Sendable, Value: Sendable>: ExpiringCache {
  @usableFromInline
  struct Entry {
    @usableFromInline var value: Value
    @usableFromInline var weight: Int
    @usableFromInline var wasUsed: Bool
    /// The time of its last use, by the cache's clock.
    @usableFromInline var usedAt: UInt8
    @usableFromInline var slot: Int

    @usableFromInline
    init(value: Value, weight: Int, usedAt: UInt8, slot: Int) {
      self.value = value
      self.weight = weight
      wasUsed = false
      self.usedAt = usedAt
      self.slot = slot
    }
  }

  @usableFromInline
  struct Load {
    @usableFromInline let task: Task<Value, any Error>
    @usableFromInline let generation: UInt64
  }

  @usableFromInline
  struct BulkMark {
    /// The number of bulk loads that the key is part of.
    @usableFromInline var loads = 0
    /// The number of the last invalidation of the key while any of them ran.
    @usableFromInline var invalidated: UInt64 = 0

    @usableFromInline
    init() {}
  }

  @usableFromInline
  struct State {
    @usableFromInline var entries: [Key: Entry] = [:]
    /// Keys in the order of the sweep; nil where an entry was removed.
    @usableFromInline var ring: [Key?] = []
    @usableFromInline var hand = 0
    @usableFromInline var weight = 0
    /// The number of calls of ``Cache/expire(unusedFor:)``, from 255 on to 0 again.
    @usableFromInline var now: UInt8 = 0
    @usableFromInline var loads: [Key: Load] = [:]
    @usableFromInline var generation: UInt64 = 0
    /// The keys of bulk loads that are under way.
    @usableFromInline var bulkLoads: [Key: BulkMark] = [:]
    @usableFromInline var allInvalidated: UInt64 = 0
    @usableFromInline var hits: UInt64 = 0
    @usableFromInline var misses: UInt64 = 0
  }

  /// The cache's name in metrics; the name of Synapse's cached function where there is one.
  public let name: Text
  @usableFromInline let capacity: Int
  @usableFromInline let weigh: @Sendable (Key, Value) -> Int
  @usableFromInline let state = Mutex(State())

  /// Makes an empty cache that is bounded by the number of entries; ``CacheRegistry`` makes those of a process.
  ///
  /// - Parameters:
  ///   - name: names it in metrics.
  ///   - capacity: the largest number of entries.
  convenience init(name: Text, capacity: Int) {
    self.init(name: name, byteBudget: capacity) { _, _ in 1 }
  }

  /// Makes an empty cache that is bounded by the memory its entries take; ``CacheRegistry`` makes those of a process.
  ///
  /// - Parameters:
  ///   - name: names it in metrics.
  ///   - byteBudget: the largest sum of weights, in bytes.
  ///   - weigh: estimates what an entry takes, in bytes; at least one is counted.
  init(name: Text, byteBudget: Int, weigh: @escaping @Sendable (Key, Value) -> Int) {
    self.name = name
    capacity = max(0, byteBudget)
    self.weigh = weigh
  }

  /// Returns the kept value, waits for a load under way, or loads.
  ///
  /// - Parameters:
  ///   - key: what is asked for.
  ///   - load: fetches the value; it runs in a task of its own, so that one caller's cancellation does not fail others.
  /// - Throws: what `load` throws; nothing is kept then.
  @inlinable
  public func value(_ key: Key, load: @escaping @Sendable () async throws -> Value) async throws -> Value {
    if let kept = peek(key) { return kept }
    return try await loaded(key, load: load)
  }

  /// Waits for a load under way, or loads. A value that has come meanwhile is returned as it is.
  @usableFromInline
  func loaded(_ key: Key, load: @escaping @Sendable () async throws -> Value) async throws -> Value {
    let task: Task<Value, any Error>
    switch begin(key, load) {
    case .kept(let value): return value
    case .loading(let running): task = running
    }
    return try await task.value
  }

  /// Returns the kept values of many keys, loading all that are missing in one go.
  ///
  /// - Parameters:
  ///   - keys: what is asked for.
  ///   - loadMissing: fetches the missing ones; keys that it leaves out are not kept and not answered.
  @inlinable
  public func values(
    _ keys: some Sequence<Key>, loadMissing: ([Key]) async throws -> [Key: Value]
  ) async throws -> [Key: Value] {
    var found: [Key: Value] = Dictionary(minimumCapacity: keys.underestimatedCount)
    var missing: [Key] = []
    let generation = state.withLock { state in
      var absent = Set<Key>()
      for key in keys where found[key] == nil && !absent.contains(key) {
        if let value = hit(key, &state) {
          found[key] = value
        } else {
          absent.insert(key)
          missing.append(key)
        }
      }
      for key in missing { state.bulkLoads[key, default: BulkMark()].loads += 1 }
      return state.generation
    }
    guard !missing.isEmpty else { return found }
    let loaded: [Key: Value]
    do {
      loaded = try await loadMissing(missing)
    } catch {
      state.withLock { settle(missing, &$0) }
      throw error
    }
    state.withLock { state in
      for (key, value) in loaded where isCurrent(key, since: generation, state) { store(key, value, &state) }
      settle(missing, &state)
    }
    found.merge(loaded) { _, new in new }
    return found
  }

  /// Returns a kept value without loading.
  @inlinable
  public func peek(_ key: Key) -> Value? { state.withLock { hit(key, &$0) } }

  /// Returns the kept values of many keys, in their order, without loading; nil unless all of them are there.
  @inlinable
  public func peek(all keys: [Key]) -> [Value]? {
    state.withLock { state in
      var found: [Value] = []
      found.reserveCapacity(keys.count)
      for key in keys {
        guard let value = hit(key, &state) else { return nil }
        found.append(value)
      }
      return found
    }
  }

  /// Keeps a value that is known to be current, such as one that this process has just committed.
  @inlinable
  public func insert(_ key: Key, _ value: Value) { state.withLock { store(key, value, &$0) } }

  /// Forgets one key, and keeps a load of it that is under way from being kept.
  @inlinable
  public func invalidate(_ key: Key) {
    state.withLock { state in
      state.generation += 1
      state.loads[key] = nil
      state.bulkLoads[key]?.invalidated = state.generation
      remove(key, &state)
    }
  }

  /// Forgets everything.
  public func invalidateAll() {
    state.withLock { state in
      state.generation += 1
      state.allInvalidated = state.generation
      state.loads.removeAll()
      state.entries.removeAll()
      state.ring.removeAll()
      state.hand = 0
      state.weight = 0
    }
  }

  /// Moves the cache's clock on by one, and forgets what has not been used for so many of its steps.
  ///
  /// The entries are looked through in pieces, so that the cache is never locked for long.
  ///
  /// - Parameter steps: 1 to 254.
  func expire(unusedFor steps: UInt8) {
    state.withLock { $0.now &+= 1 }
    var slot: Int? = 0
    while let from = slot { slot = state.withLock { expire(from, steps, &$0) } }
  }

  /// Looks at a thousand entries. Returns where to go on.
  private func expire(_ from: Int, _ steps: UInt8, _ state: inout State) -> Int? {
    let end = min(from + 1_000, state.ring.count)
    for slot in from..<max(from, end) {
      guard let key = state.ring[slot], let entry = state.entries[key] else { continue }
      if state.now &- entry.usedAt >= steps { remove(key, &state) }
    }
    guard end >= state.ring.count else { return end }
    if state.ring.count > state.entries.count { compact(&state) }
    if state.entries.capacity > 4 * state.entries.count + 64 {
      // A dictionary gives nothing back by itself.
      state.entries = Dictionary(uniqueKeysWithValues: state.entries.map { ($0.key, $0.value) })
    }
    return nil
  }

  /// The number of entries, their weights, hits and misses since the start.
  public var statistics: (count: Int, weight: Int, hits: UInt64, misses: UInt64) {
    state.withLock { ($0.entries.count, $0.weight, $0.hits, $0.misses) }
  }

  private enum Begun {
    case kept(Value)
    case loading(Task<Value, any Error>)
  }

  private func begin(_ key: Key, _ load: @escaping @Sendable () async throws -> Value) -> Begun {
    state.withLock { state in
      if let entry = state.entries[key] { return .kept(entry.value) }
      if let running = state.loads[key] { return .loading(running.task) }
      state.generation += 1
      let generation = state.generation
      let task = Task<Value, any Error> {
        do {
          let value = try await load()
          self.finish(key, generation, value)
          return value
        } catch {
          self.finish(key, generation, nil)
          throw error
        }
      }
      state.loads[key] = Load(task: task, generation: generation)
      return .loading(task)
    }
  }

  /// Keeps the result of a load unless the load was struck off by an invalidation.
  private func finish(_ key: Key, _ generation: UInt64, _ value: Value?) {
    state.withLock { state in
      guard state.loads[key]?.generation == generation else { return }
      state.loads[key] = nil
      if let value { store(key, value, &state) }
    }
  }

  @inlinable
  func hit(_ key: Key, _ state: inout State) -> Value? {
    guard let index = state.entries.index(forKey: key) else {
      state.misses &+= 1
      return nil
    }
    state.hits &+= 1
    state.entries.values[index].wasUsed = true
    state.entries.values[index].usedAt = state.now
    return state.entries.values[index].value
  }

  @inlinable
  func isCurrent(_ key: Key, since generation: UInt64, _ state: State) -> Bool {
    state.allInvalidated <= generation && (state.bulkLoads[key]?.invalidated ?? 0) <= generation
  }

  @inlinable
  func settle(_ keys: [Key], _ state: inout State) {
    for key in keys {
      guard var mark = state.bulkLoads[key] else { continue }
      mark.loads -= 1
      state.bulkLoads[key] = mark.loads > 0 ? mark : nil
    }
  }

  @inlinable
  func store(_ key: Key, _ value: Value, _ state: inout State) {
    remove(key, &state)
    let weight = max(1, weigh(key, value))
    guard weight <= capacity else { return }
    makeRoom(for: weight, &state)
    state.entries[key] = Entry(value: value, weight: weight, usedAt: state.now, slot: state.ring.count)
    state.ring.append(key)
    state.weight += weight
  }

  @inlinable
  func remove(_ key: Key, _ state: inout State) {
    guard let entry = state.entries.removeValue(forKey: key) else { return }
    state.weight -= entry.weight
    if state.ring.indices.contains(entry.slot) { state.ring[entry.slot] = nil }
  }

  @inlinable
  func makeRoom(for weight: Int, _ state: inout State) {
    while state.weight + weight > capacity, !state.entries.isEmpty {
      if state.hand >= state.ring.count { compact(&state) }
      if let key = state.ring[state.hand] {
        if state.entries[key]?.wasUsed == true {
          state.entries[key]?.wasUsed = false
        } else {
          remove(key, &state)
        }
      }
      state.hand += 1
    }
    if state.ring.count > 64, state.ring.count > 2 * state.entries.count { compact(&state) }
  }

  /// Closes the gaps in the ring and begins the next round of the sweep.
  @usableFromInline
  func compact(_ state: inout State) {
    var ring: [Key?] = []
    ring.reserveCapacity(state.entries.count)
    for case let key? in state.ring {
      state.entries[key]?.slot = ring.count
      ring.append(key)
    }
    state.ring = ring
    state.hand = 0
  }
}
