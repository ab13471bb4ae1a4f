import MatrixPrimitives
import Stores

/// The errors of what a transaction that writes events requires of the database.
enum PersistRefusal {
  /// The room has been deleted.
  static let roomIsGone = MatrixError.notFound("The room is gone")
  /// A state group to which an event refers has been deleted.
  static let stateIsGone = MatrixError.notFound("A part of the room's state is gone")
  /// An event of this server was built upon one that a crash of the database has taken away, or that failed.
  static let predecessorIsMissing = StoreError("what the events follow is not stored")
}
