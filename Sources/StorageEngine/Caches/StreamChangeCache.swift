import ByteText
import Collections
import Synchronization

/// The stream positions at which the most recently changed entities last changed.
///
/// It answers "has anything changed for this room or user since that token" without a query. What lies before the
/// earliest position it still knows is answered "perhaps", which the caller must settle by a query.
public final class StreamChangeCache: Sendable {
  private struct State {
    /// The position of each entity's last change.
    var positions: [Text: Int64] = [:]
    /// The same turned round, ordered by position, for eviction and for ranges.
    var entities = Deque<(position: Int64, entity: Text)>()
    /// The position after which all changes are known.
    var earliestKnown: Int64
  }

  /// The cache's name in metrics.
  public let name: Text
  private let capacity: Int
  private let state: Mutex<State>

  /// Makes a cache without knowledge of changes before `earliestKnown`.
  ///
  /// - Parameters:
  ///   - name: names it in metrics.
  ///   - earliestKnown: the stream's position from which on every change will be noted; by default nothing is known
  ///     until ``start(at:)``.
  ///   - capacity: how many entities are remembered, at least one.
  init(name: Text, earliestKnown: Int64 = .max, capacity: Int = 50_000) {
    self.name = name
    self.capacity = max(1, capacity)
    state = Mutex(State(earliestKnown: earliestKnown))
  }

  /// Forgets everything and says that every change after `position` will be noted. Called at start, once the stream's
  /// position is known, and when a stream was reset.
  public func start(at position: Int64) {
    state.withLock { $0 = State(earliestKnown: position) }
  }

  /// Notes that an entity changed. Older news than what is known of the entity is ignored.
  public func entityChanged(_ entity: Text, at position: Int64) {
    state.withLock { state in
      guard position > state.earliestKnown, position > state.positions[entity] ?? .min else { return }
      state.positions[entity] = position
      Self.insert((position, entity), into: &state.entities)
      evict(&state)
      Self.compact(&state)
    }
  }

  /// Returns whether an entity has changed, or may have, after a position. True when that is unknown.
  public func hasChanged(_ entity: Text, since position: Int64) -> Bool {
    state.withLock { state in
      guard position >= state.earliestKnown else { return true }
      return (state.positions[entity] ?? .min) > position
    }
  }

  /// Picks those of the given entities that changed after a position.
  ///
  /// - Returns: nil when the position lies before what is known.
  public func changed(of entities: some Sequence<Text>, since position: Int64) -> Set<Text>? {
    state.withLock { state in
      guard position >= state.earliestKnown else { return nil }
      return Set(entities.filter { (state.positions[$0] ?? .min) > position })
    }
  }

  /// Lists all entities that changed after a position, the earliest change first.
  ///
  /// - Returns: nil when the position lies before what is known.
  public func allChanged(since position: Int64) -> [Text]? {
    state.withLock { state in
      guard position >= state.earliestKnown else { return nil }
      var changed: [Text] = []
      for (at, entity) in state.entities.reversed() {
        guard at > position else { break }
        if state.positions[entity] == at { changed.append(entity) }
      }
      return changed.reversed()
    }
  }

  /// Returns whether anything at all has changed, or may have, after a position.
  public func hasAnyChanged(since position: Int64) -> Bool {
    state.withLock { state in
      guard position >= state.earliestKnown else { return true }
      return (state.entities.last?.position ?? .min) > position
    }
  }

  /// News comes almost in order, so the place is found from the end.
  private static func insert(
    _ change: (position: Int64, entity: Text), into entities: inout Deque<(position: Int64, entity: Text)>
  ) {
    var index = entities.endIndex
    while index > entities.startIndex, entities[index - 1].position > change.position { index -= 1 }
    entities.insert(change, at: index)
  }

  /// Drops the oldest changes beyond the capacity; entries that a newer change has replaced go without loss.
  private func evict(_ state: inout State) {
    while let oldest = state.entities.first {
      let isStale = state.positions[oldest.entity] != oldest.position
      guard isStale || state.positions.count > capacity else { return }
      state.entities.removeFirst()
      guard !isStale else { continue }
      state.positions[oldest.entity] = nil
      state.earliestKnown = max(state.earliestKnown, oldest.position)
    }
  }

  /// Drops replaced entries behind an old one that is still good; a busy entity leaves one with every change.
  private static func compact(_ state: inout State) {
    guard state.entities.count > 64, state.entities.count > 2 * state.positions.count else { return }
    state.entities.removeAll { state.positions[$0.entity] != $0.position }
  }
}
