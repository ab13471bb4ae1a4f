import Synchronization

/// Knows which caches of this process hold results of which function, by the names that travel on the stream `caches`.
public final class CacheRegistry: Sendable {
  /// Reacts to an invalidation; `keys` are the function's arguments, nil means all results.
  public typealias Invalidation = @Sendable (_ keys: [String]?) -> Void

  private let invalidations = Mutex<[String: [Invalidation]]>([:])

  /// Makes an empty registry.
  public init() {}

  /// Adds a reaction to the invalidation of a function's results; several may react to one function.
  ///
  /// - Parameters:
  ///   - cacheFunc: the function's name as Synapse spells it.
  ///   - invalidate: called on whatever thread brings the news; must be quick.
  public func register(_ cacheFunc: String, _ invalidate: @escaping Invalidation) {
    invalidations.withLock { $0[cacheFunc, default: []].append(invalidate) }
  }

  /// Tells all caches concerned; unknown functions are passed over, as no result of theirs is kept here.
  public func apply(cacheFunc: String, keys: [String]?) {
    for invalidate in invalidations.withLock({ $0[cacheFunc] ?? [] }) { invalidate(keys) }
  }
}
