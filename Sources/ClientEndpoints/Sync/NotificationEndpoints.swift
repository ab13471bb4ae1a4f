import EndpointKit
import MatrixPrimitives
import RoomServices
import SyncEngine

/// The list of what users were notified of.
package struct NotificationEndpoints: Sendable {
  private let notifications: NotificationService
  private let serializer: ClientEventSerializer
  private let clock: ServerClock

  /// Makes the family.
  package init(notifications: NotificationService, serializer: ClientEventSerializer, clock: ServerClock) {
    self.notifications = notifications
    self.serializer = serializer
    self.clock = clock
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "notifications",
      [.get("getNotifications", .client("notifications", .released), as: User.self, limited: true, to: list)])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3notifications
  private func list(_ user: User, _ request: Request) async throws -> Response {
    let items = try await notifications.notifications(
      of: user.userID, before: try Self.place(request), limit: try request.queryInteger("limit", default: 50),
      onlyHighlights: request.queryValue("only") == "highlight")
    let options = ClientEventOptions(.sync, requester: user.requester, now: clock.nowMilliseconds)
    return .json { writer in
      writer.object { object in
        object.array("notifications") { array in
          for item in items { write(item, options, to: &array) }
        }
        // Synapse says null where nothing was found, which clients have come to expect.
        object.member("next_token", items.last.map { .string(Text($0.notification.streamOrdering)) } ?? .null)
      }
    }
  }

  private func write(_ item: NotificationService.Item, _ options: ClientEventOptions, to writer: inout JSONWriter) {
    let entry = item.notification
    writer.object { object in
      object.member("room_id", entry.roomID)
      object.member("profile_tag", entry.profileTag.map { .string($0) } ?? .null)
      object.member("actions", .array(entry.actions))
      object.member("ts", entry.receivedTS)
      object.key("event")
      serializer.write(item.event, options, to: &object)
      object.member("read", entry.isRead)
    }
  }

  /// Reads where the page begins; zero is the beginning, as on Synapse.
  private static func place(_ request: Request) throws(MatrixError) -> Int64? {
    guard let text = request.queryValue("from") else { return nil }
    guard let place = Int64(text) else {
      throw .unknown("Query parameter \"from\" contains unrecognised token", status: 400)
    }
    return place == 0 ? nil : place
  }
}
