import EndpointKit
import MatrixPrimitives
import SyncEngine

/// Messages for devices.
package struct ToDeviceEndpoints: Sendable {
  private let toDevice: ToDeviceService

  /// Makes the family.
  package init(toDevice: ToDeviceService) { self.toDevice = toDevice }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "to-device",
      [
        .put(
          "sendToDevice", .client("sendToDevice/{eventType}/{txnID}", .released), as: UserOrGuest.self,
          on: .writer(of: .toDevice), to: sendToDevice)
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid
  private func sendToDevice(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    try await toDevice.send(
      from: caller.requester, type: try request.parameter("eventType"), transactionID: try request.parameter("txnID"),
      messages: try request.jsonObject().requireObject("messages"))
    return .emptyObject
  }
}
