import MatrixEvents
import MatrixPrimitives
import Stores

extension Storage {
  /// Reads one event of a room's current state; nil when there is none.
  func currentStateEvent(_ room: RoomID, _ key: StateKey) async throws -> StoredEvent? {
    guard let id = try await state.currentState(room, filter: .keys([key]))[key] else { return nil }
    return try await events.event(id)
  }
}
