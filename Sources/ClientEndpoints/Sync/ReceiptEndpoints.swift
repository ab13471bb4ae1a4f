import EndpointKit
import MatrixPrimitives
import SyncEngine

/// Receipts and read markers.
package struct ReceiptEndpoints: Sendable {
  private let receipts: ReceiptService
  private let presence: PresenceService

  /// Makes the family.
  package init(receipts: ReceiptService, presence: PresenceService) {
    self.receipts = receipts
    self.presence = presence
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "receipts",
      [
        .post(
          "postReceipt", .client("rooms/{roomID}/receipt/{receiptType}/{eventID}", .released), as: User.self,
          on: .writer(of: .receipts), limited: true, to: postReceipt),
        .post(
          "setReadMarker", .client("rooms/{roomID}/read_markers", .released), as: User.self,
          on: .writer(of: .receipts), limited: true, to: setReadMarkers),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid
  private func postReceipt(_ user: User, _ request: Request) async throws -> Response {
    guard let room = RoomID(try request.parameter("roomID")), let event = EventID(try request.parameter("eventID"))
    else {
      throw MatrixError.unknown("A valid room ID and event ID must be specified", status: 400)
    }
    let type = try request.parameter("receiptType")
    try ReceiptService.check(type: type)
    let thread = try ReceiptService.threadID(in: try request.jsonObject(), type: type)
    await presence.bump(user.userID, device: user.deviceID)
    try await receipts.receive(user.requester, room: room, type: type, event: event, threadID: thread)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidread_markers
  private func setReadMarkers(_ user: User, _ request: Request) async throws -> Response {
    let (room, body) = (try request.roomID, try request.jsonObject())
    var events: [(type: Text, event: EventID)] = []
    for type in ReceiptService.types {
      guard let text = try body.optionalString(type), !text.isEmpty else { continue }
      events.append((type, try EventID(checking: text)))
    }
    await presence.bump(user.userID, device: user.deviceID)
    for (type, event) in events {
      try await receipts.receive(user.requester, room: room, type: type, event: event, threadID: nil)
    }
    return .emptyObject
  }
}
