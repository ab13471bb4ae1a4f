import MatrixEvents
import MatrixPrimitives
import Replication
import Stores

extension EventSubmitter {
  /// Redacts an event.
  ///
  /// - Parameters:
  ///   - target: the event.
  ///   - content: what the client sent, perhaps a reason.
  ///   - transactionID: the client's name for the request.
  /// - Returns: the id of the redaction.
  /// - Throws: `MatrixError` 404 for a room that is not known, 400 when the content names another event, and what sending throws.
  public func redact(
    _ target: EventID, in room: RoomID, content: JSONValue, transactionID: Text?, requester: Requester
  ) async throws -> EventID {
    guard let version = try await stores.rooms.version(of: room) else {
      throw MatrixError.notFound("Could not find room version for \(room.rawValue)")
    }
    if version.hasRedactsInContent, let named = content["redacts"], named.string != target.rawValue {
      throw MatrixError.invalidParam(
        "Cannot provide a redacts value incoherent with the event_id of the URL parameter")
    }
    let draft = ClientEventDraft(
      roomID: room, type: "m.room.redaction", content: content.json, transactionID: transactionID, redacts: target)
    return try await submit(draft, requester: requester)
  }
}
