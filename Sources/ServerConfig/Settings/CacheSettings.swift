import ByteText

/// The sizes of caches.
public struct CacheSettings: Sendable, Hashable {
  /// The factor of caches where nothing is set.
  public static let standardFactor = 0.5
  /// The number of events in memory where nothing is set, before it is multiplied.
  public static let standardEventCount: Int64 = 10_240

  /// The factor of every cache's size.
  public var globalFactor: Double
  /// The factors of single caches, used instead; look up by `factor(of:)`.
  public var factors: [Text: Double]
  /// The number of events in memory, before it is multiplied.
  public var eventCacheSize: Int64
  /// The time in milliseconds after which unused entries are dropped; nil means never.
  public var entryLifetimeMilliseconds: Int64?
  /// The time in milliseconds for which an answer to sync is kept in case the client asks again.
  public var syncResponseMilliseconds: Int64

  init(_ root: SettingsSection, environment: [Text: Text]) throws(ConfigError) {
    eventCacheSize = try root.bytes("event_cache_size", Self.standardEventCount)
    let section = try root.section("caches")
    let standard = environment["SYNAPSE_CACHE_FACTOR"].flatMap(Double.init) ?? Self.standardFactor
    guard standard.isFinite, standard >= 0 else {
      throw ConfigError(
        "SYNAPSE_CACHE_FACTOR", found: "\(standard) in the environment", expected: "a number of at least 0")
    }
    globalFactor = try section.number("global_factor", standard)
    factors = [:]
    for (name, node) in try section.entries("per_cache_factors") {
      guard let value = node.double, value.isFinite, value >= 0 else {
        throw section.fail("per_cache_factors.\(name)", node, expected: "a number of at least 0")
      }
      factors[Self.canonicalName(name)] = value
    }
    for (name, text) in environment where name.hasPrefix("SYNAPSE_CACHE_FACTOR_") {
      guard let value = Double(text), value.isFinite, value >= 0 else {
        throw ConfigError(name, found: "\"\(text)\" in the environment", expected: "a number of at least 0")
      }
      factors[Self.canonicalName(name.dropFirst("SYNAPSE_CACHE_FACTOR_".utf8.count))] = value
    }
    let expires = try section.bool("expire_caches", true)
    let lifetime = try section.milliseconds("cache_entry_ttl", 1_800_000)
    entryLifetimeMilliseconds = try section.milliseconds("expiry_time") ?? (expires ? lifetime : nil)
    syncResponseMilliseconds = try section.milliseconds("sync_response_cache_duration", 120_000)
  }

  /// Returns the factor of a cache by Synapse's name for it; case, asterisks and the digit 0 in names do not count.
  public func factor(of cache: Text) -> Double { factors[Self.canonicalName(cache)] ?? globalFactor }

  private static func canonicalName(_ name: Text) -> Text {
    let kept = name.utf8.filter { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "1")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
    return Text(decoding: kept, as: UTF8.self).asciiLowercased
  }
}
