import MatrixEvents
import MatrixPrimitives
import Stores

/// The state of a room at one place of its graph, with the group that it has in the database.
public struct ResolvedState: Sendable {
  /// The state group; nil only before the first event of a room.
  public let group: Int64?
  /// The state.
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
