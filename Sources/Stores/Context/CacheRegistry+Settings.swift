import ServerConfig
import StorageEngine

extension CacheRegistry {
  /// The name of the cache of events, as Synapse spells it.
  static let eventCacheName = "*getEvent*"
  /// What events may take in memory with the standard settings, in bytes: as many of usual size as Synapse then keeps.
  static let standardEventBytes = 11 << 20

  /// Makes an empty registry whose caches follow `caches` and `event_cache_size` of the configuration.
  ///
  /// What caches ask for is what they have at the standard factor. The number of events is a measure of bytes here, since
  /// events differ a hundredfold in size.
  convenience init(_ settings: CacheSettings) {
    self.init(lifetime: settings.entryLifetimeMilliseconds.map { .milliseconds($0) }) { name in
      let factor = settings.factor(of: name) / CacheSettings.standardFactor
      guard name == Self.eventCacheName else { return factor }
      return factor * Double(settings.eventCacheSize) / Double(CacheSettings.standardEventCount)
    }
  }
}
