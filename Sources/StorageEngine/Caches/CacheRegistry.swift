import ByteText
import Synchronization

/// The caches of a process, as large as its configuration wants them, and which of them hold results of which function.
///
/// Functions have the names that travel on the stream `caches`.
public final class CacheRegistry: Sendable {
  /// A closure that reacts to an invalidation; `keys` are the function's arguments, nil means all results.
  public typealias Invalidation = @Sendable (_ keys: [Text]?) -> Void

  private static let stepsOfLife: UInt8 = 8

  private let scale: @Sendable (Text) -> Double
  private let lifetime: Duration?
  private let invalidations = Mutex<[Text: [Invalidation]]>([:])
  private let caches = Mutex<[any ExpiringCache]>([])

  /// Makes an empty registry.
  ///
  /// - Parameters:
  ///   - lifetime: how long an unused entry stays; nil means as long as there is room.
  ///   - scale: by how much the size of a cache, which it is given by name, differs from what the cache asks for; at least 0.
  public init(lifetime: Duration? = nil, scale: @escaping @Sendable (Text) -> Double = { _ in 1 }) {
    self.lifetime = lifetime
    self.scale = scale
  }

  // MARK: making

  /// Makes a cache that is bounded by the number of entries.
  ///
  /// - Parameters:
  ///   - name: names it in the configuration and in metrics; what Synapse calls it where it has one like it.
  ///   - capacity: the largest number of entries where the configuration says nothing about it.
  public func cache<Key, Value>(_ name: Text, capacity: Int) -> Cache<Key, Value> {
    cache(name, byteBudget: capacity) { _, _ in 1 }
  }

  /// Makes a cache that is bounded by the memory its entries take.
  ///
  /// - Parameters:
  ///   - name: names it in the configuration and in metrics; what Synapse calls it where it has one like it.
  ///   - byteBudget: the largest sum of weights, in bytes, where the configuration says nothing about it.
  ///   - weigh: estimates what an entry takes, in bytes; at least one is counted.
  public func cache<Key, Value>(
    _ name: Text, byteBudget: Int, weigh: @escaping @Sendable (Key, Value) -> Int
  ) -> Cache<Key, Value> {
    let cache = Cache<Key, Value>(name: name, byteBudget: scaled(byteBudget, name), weigh: weigh)
    caches.withLock { $0.append(cache) }
    return cache
  }

  /// Makes a cache of the last changes, which is empty until it is started.
  ///
  /// - Parameters:
  ///   - name: names it in the configuration and in metrics.
  ///   - capacity: how many entities are remembered where the configuration says nothing about it.
  public func changeCache(_ name: Text, capacity: Int = 50_000) -> StreamChangeCache {
    StreamChangeCache(name: name, capacity: scaled(capacity, name))
  }

  private func scaled(_ size: Int, _ name: Text) -> Int {
    let wanted = Double(size) * max(0, scale(name))
    return wanted < Double(1 << 50) ? Int(wanted) : 1 << 50
  }

  // MARK: forgetting

  /// Adds a reaction to the invalidation of a function's results; several may react to one function.
  ///
  /// - Parameters:
  ///   - cacheFunc: the function's name as Synapse spells it.
  ///   - invalidate: called on whatever thread brings the news; must be quick.
  public func register(_ cacheFunc: Text, _ invalidate: @escaping Invalidation) {
    invalidations.withLock { $0[cacheFunc, default: []].append(invalidate) }
  }

  /// Informs all caches concerned; unknown functions are passed over, as no result of theirs is kept here.
  public func apply(cacheFunc: Text, keys: [Text]?) {
    for invalidate in invalidations.withLock({ $0[cacheFunc] ?? [] }) { invalidate(keys) }
  }

  /// Forgets entries that were not used for the lifetime, an eighth of it late at most, until cancelled.
  public func expireUnused() async {
    guard let lifetime else { return }
    let step = min(max(lifetime / Int(Self.stepsOfLife), .milliseconds(100)), .seconds(365 * 86_400))
    while !Task.isCancelled {
      try? await Task.sleep(for: step, tolerance: step / 8)  // cancelled: the loop ends
      for cache in caches.withLock({ $0 }) { cache.expire(unusedFor: Self.stepsOfLife) }
    }
  }
}

/// A cache whose unused entries are dropped.
protocol ExpiringCache: Sendable {
  func expire(unusedFor steps: UInt8)
}
