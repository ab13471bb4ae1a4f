import Collections
import MatrixEvents
import MatrixPrimitives

/// The state of a room at one point, immutable, sharing its structure with the snapshots it was made from, so that a
/// change in a room of ten thousand members does not copy ten thousand entries.
public struct StateSnapshot: Sendable {
  private var entries: TreeDictionary<StateKey, EventID>

  /// Makes the state of a room without any events.
  public init() { entries = [:] }

  /// Makes a snapshot from a map.
  public init(_ map: StateMap) { entries = TreeDictionary(uniqueKeysWithValues: map.lazy.map { ($0.key, $0.value) }) }

  /// Returns the event of an entry.
  public subscript(_ key: StateKey) -> EventID? { entries[key] }

  /// The number of entries.
  public var count: Int { entries.count }

  /// Whether there are no entries.
  public var isEmpty: Bool { entries.isEmpty }

  /// All entries as a map; costs a copy of all of them.
  public var map: StateMap { StateMap(uniqueKeysWithValues: entries.lazy.map { ($0.key, $0.value) }) }

  /// Returns the wanted entries; cheap when the filter names single entries.
  public func map(_ filter: StateFilter) -> StateMap {
    if filter.isAll { return map }
    var result: StateMap = [:]
    if let keys = filter.exactKeys {
      for key in keys { result[key] = entries[key] }
      return result
    }
    for (key, value) in entries where filter.includes(key) { result[key] = value }
    return result
  }

  /// Calls `body` for every entry, in no particular order.
  public func forEach(_ body: (StateKey, EventID) throws -> Void) rethrows {
    for (key, value) in entries { try body(key, value) }
  }

  /// Returns the snapshot with entries replaced; a nil value removes one.
  public func applying(_ changes: some Sequence<(key: StateKey, value: EventID?)>) -> StateSnapshot {
    var copy = self
    for (key, value) in changes { copy.entries[key] = value }
    return copy
  }

  /// Returns the snapshot with the entries of a delta replaced.
  public func applying(_ delta: StateMap) -> StateSnapshot {
    var copy = self
    for (key, value) in delta { copy.entries[key] = value }
    return copy
  }

  /// Compares with an earlier snapshot.
  ///
  /// - Returns: what must be inserted into and removed from `earlier` to get this one.
  public func changes(since earlier: StateSnapshot) -> (inserted: StateMap, removed: [StateKey]) {
    var inserted: StateMap = [:]
    for (key, value) in entries where earlier.entries[key] != value { inserted[key] = value }
    let removed = earlier.entries.keys.filter { entries[$0] == nil }
    return (inserted, removed)
  }

  /// The estimated memory of a snapshot that shares nothing, in bytes.
  var weight: Int { 256 + entries.count * 220 }
}
