import MatrixEvents
import MatrixPrimitives
import Stores

/// Holds the state of a room at one place of its graph, with the group under which the database knows it.
public struct ResolvedState: Sendable {
  /// Holds the state group; nil only before the first event of a room.
  public let group: Int64?
  /// Holds the state.
  public let snapshot: StateSnapshot

  /// Describes a state.
  public init(group: Int64?, snapshot: StateSnapshot) {
    self.group = group
    self.snapshot = snapshot
  }

  /// Returns the event of an entry.
  public subscript(_ key: StateKey) -> EventID? { snapshot[key] }

  /// Returns the wanted entries.
  public func map(_ filter: StateFilter = .all) -> StateMap { snapshot.map(filter) }
}
