import EncryptionServices
import EndpointKit
import MatrixPrimitives

/// Devices that users leave behind to receive messages (MSC3814).
package struct DehydratedDeviceEndpoints: Sendable {
  private let devices: DehydratedDeviceService
  private let isEnabled: Bool

  /// Makes the family.
  package init(devices: DehydratedDeviceService, isEnabled: Bool) {
    self.devices = devices
    self.isEnabled = isEnabled
  }

  /// The operations of the family; none unless they are switched on.
  package var family: EndpointFamily {
    let root = EndpointPaths.client("dehydrated_device", ["unstable/org.matrix.msc3814.v1"])
    let events = EndpointPaths.client("dehydrated_device/{deviceID}/events", ["unstable/org.matrix.msc3814.v1"])
    let rows: [Endpoint] = [
      .get("getDehydratedDevice", root, as: User.self, to: get),
      .put("putDehydratedDevice", root, as: User.self, on: .anyPreferring(writerOf: .deviceLists), to: put),
      .delete("deleteDehydratedDevice", root, as: User.self, on: .anyPreferring(writerOf: .deviceLists), to: delete),
      .get("getDehydratedDeviceEvents", events, as: User.self, to: getEvents),
      .post("postDehydratedDeviceEvents", events, as: User.self, to: postEvents),
    ]
    return EndpointFamily("dehydrated devices", isEnabled ? rows : [])
  }

  private func get(_ user: User, _ request: Request) async throws -> Response {
    let device = try await devices.device(of: user.userID)
    return .json { writer in
      writer.object {
        $0.member("device_id", device.deviceID)
        $0.key("device_data" as StaticString)
        $0.raw(device.data)
      }
    }
  }

  private func put(_ user: User, _ request: Request) async throws -> Response {
    .json(["device_id": .string(try await devices.put(try request.jsonObject(), of: user.userID))])
  }

  private func delete(_ user: User, _ request: Request) async throws -> Response {
    .json(["device_id": .string(try await devices.delete(of: user.userID))])
  }

  private func getEvents(_ user: User, _ request: Request) async throws -> Response {
    let messages = try await messages(user, request, from: request.queryValue("from"))
    return Self.answer(messages, withNext: messages.isLimited)
  }

  /// The form of an earlier draft, which names the next place even where there is nothing more (as Synapse does).
  private func postEvents(_ user: User, _ request: Request) async throws -> Response {
    let from = try request.jsonObject().optionalString("next_batch")
    return Self.answer(try await messages(user, request, from: from), withNext: true)
  }

  private func messages(
    _ user: User, _ request: Request, from: Text?
  ) async throws -> DehydratedDeviceService.Messages {
    try await devices.messages(
      for: try request.parameter("deviceID"), of: user.userID, from: from,
      limit: try request.queryInteger("limit", default: DehydratedDeviceService.usualMessages))
  }

  private static func answer(_ messages: DehydratedDeviceService.Messages, withNext: Bool) -> Response {
    .json { writer in
      writer.object {
        $0.array("events") { list in for event in messages.events { list.raw(event) } }
        if withNext { $0.member("next_batch", messages.next) }
      }
    }
  }
}
