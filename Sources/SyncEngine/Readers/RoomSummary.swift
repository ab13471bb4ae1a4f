import MatrixPrimitives

/// The size of a room, and after whom to call it.
struct RoomSummary: Sendable {
  let joined: Int
  let invited: Int
  /// Up to five members after whom the room is called; nil when it has a name or an alias of its own.
  let heroes: [UserID]?
}
