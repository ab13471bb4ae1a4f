import ByteText
import Testing

@testable import StorageEngine

@Suite("Cache registry")
struct CacheRegistryTests {
  @Test("Caches are as large as the registry's scale says")
  func scales() {
    let registry = CacheRegistry { name in
      switch name {
      case "none": 0
      case "double": 2
      case "endless": .greatestFiniteMagnitude
      default: 1
      }
    }
    func kept(_ name: Text) -> Int {
      let cache: Cache<Int, Int> = registry.cache(name, capacity: 10)
      for key in 0..<50 { cache.insert(key, key) }
      return cache.statistics.count
    }
    #expect([kept("none"), kept("double"), kept("endless"), kept("other")] == [0, 20, 50, 10])
    let changes = registry.changeCache("none", capacity: 10)
    changes.start(at: 5)
    for position in 6...9 { changes.entityChanged("entity\(position)", at: Int64(position)) }
    #expect(changes.hasChanged("entity6", since: 5))
    #expect(!changes.hasChanged("entity9", since: 9))
  }

  @Test("A registry forgets what was not used for the lifetime")
  func registryExpires() async throws {
    let registry = CacheRegistry(lifetime: .milliseconds(1))
    let cache: Cache<Text, Int> = registry.cache("test", capacity: 10)
    cache.insert("a", 1)
    let expiry = Task { await registry.expireUnused() }
    while cache.statistics.count > 0 { try await Task.sleep(for: .milliseconds(100)) }
    expiry.cancel()
    await expiry.value
  }
}
