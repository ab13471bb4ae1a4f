import EndpointKit
import MatrixPrimitives
import Replication
import RoomServices

/// Calls that bring events to the process that persists them.
public struct EventReplicationEndpoints: Sendable {
  private let inbox: EventInbox
  private let kit: ReplicationEndpointKit

  /// Makes the family.
  public init(inbox: EventInbox, kit: ReplicationEndpointKit) {
    self.inbox = inbox
    self.kit = kit
  }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] { [sendEvents, fedSendEvents] }

  private var sendEvents: Endpoint {
    kit.endpoint("send_events", parameters: [], isCached: true) { [inbox] call in
      let last = try await inbox.accept(try SendEventsRequest(call.body))
      return ["stream_id": .integer(last.streamID), "event_id": .string(last.eventID.rawValue)]
    }
  }

  private var fedSendEvents: Endpoint {
    kit.endpoint("fed_send_events", parameters: [], isCached: true) { [inbox] call in
      ["max_stream_id": .integer(try await inbox.accept(try FederatedEventsRequest(call.body)))]
    }
  }
}
