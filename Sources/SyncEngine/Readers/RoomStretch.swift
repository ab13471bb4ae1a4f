import MatrixPrimitives
import Stores

/// What happened in a room after one point and up to another.
struct RoomStretch: Sendable {
  let room: RoomID
  let after: RoomStreamToken
  let upTo: RoomStreamToken
}
