import MatrixPrimitives
import StorageEngine

/// A key of a cache that an invalidation names by its first argument.
protocol InvalidationKey: Hashable, Sendable {
  /// Reads the key, which a server process wrote.
  init(unchecked text: Text)
}

extension RoomID: InvalidationKey {}
extension UserID: InvalidationKey {}
extension EventID: InvalidationKey {}

extension Cache where Key: InvalidationKey {
  /// Drops the entry that the first of an invalidation's keys names; everything when there are none.
  func invalidate(firstOf keys: [Text]?) {
    if let first = keys?.first { invalidate(Key(unchecked: first)) } else { invalidateAll() }
  }
}

extension CacheRegistry {
  /// Lets a cache follow the invalidations of functions whose first argument is its key.
  func register<Key: InvalidationKey, Value>(_ functions: Text..., of cache: Cache<Key, Value>) {
    for function in functions { register(function) { cache.invalidate(firstOf: $0) } }
  }
}
