import MatrixEvents
import MatrixPrimitives
import Stores

extension SlidingRequiredState {
  /// Whether all state is wanted.
  var isEverything: Bool { keys[Self.wildcard]?.contains(Self.wildcard) ?? false }

  /// Adds a pair of type and state key; pairs that another one comprises are left out.
  mutating func insert(_ type: Text, _ stateKey: Text) {
    guard !isEverything, !(keys[Self.wildcard]?.contains(stateKey) ?? false),
      !(keys[type]?.contains(Self.wildcard) ?? false)
    else { return }
    guard type != Self.wildcard || stateKey != Self.wildcard else {
      keys = [Self.wildcard: [Self.wildcard]]
      return
    }
    if type == Self.wildcard {
      for other in Array(keys.keys) where other != type {
        keys[other]?.remove(stateKey)
        if keys[other]?.isEmpty == true { keys[other] = nil }
      }
    }
    if stateKey == Self.wildcard { keys[type] = [stateKey] } else { keys[type, default: []].insert(stateKey) }
  }

  /// Returns a choice that has everything that either one has.
  func combined(with other: SlidingRequiredState) -> SlidingRequiredState {
    guard self != other else { return self }
    var combined = self
    for (type, stateKeys) in other.keys { for stateKey in stateKeys { combined.insert(type, stateKey) } }
    return combined
  }

  /// Returns the wanted state keys of a type, by its own name only.
  func stateKeys(_ type: Text) -> Set<Text> { keys[type] ?? [] }

  /// Whether members are loaded lazily.
  var isLazy: Bool { keys[Self.wildcard] == nil && stateKeys(EventType.member).contains(Self.lazy) }
}

extension SlidingRoomConfig {
  /// Returns a configuration that gets everything that either one gets.
  func combined(with other: SlidingRoomConfig) -> SlidingRoomConfig {
    SlidingRoomConfig(
      timelineLimit: max(timelineLimit, other.timelineLimit),
      requiredState: requiredState.combined(with: other.requiredState))
  }
}
