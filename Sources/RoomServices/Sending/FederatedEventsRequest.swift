import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Stores

/// Holds the body of the replication call `fed_send_events`: events that came from other servers, on their way to the process
/// that persists them.
///
/// The form is Synapse's, observed on its wire: `{"room_id": …, "backfilled": …, "events": [{"event": …, "room_version": …,
/// "event_format_version": …, "internal_metadata": …, "outlier": …, "rejected_reason": …, "context": …}]}`; the answer is
/// `{"max_stream_id": …}`.
public struct FederatedEventsRequest: Sendable {
  /// Holds the room of all events.
  public let roomID: RoomID
  /// Tells whether the events are history rather than news.
  public let isBackfilled: Bool
  /// Holds the events in the order in which they follow one another.
  let events: [PersistableEvent]

  /// Reads a body.
  ///
  /// - Throws: `MatrixError` 400 when it does not have the form, or names a room version that is not known.
  public init(_ body: JSONValue) throws {
    let room = RoomID(unchecked: try body.requireString("room_id"))
    roomID = room
    isBackfilled = try body.requireBool("backfilled")
    events = try body.requireArray("events").map { try SendEventsRequest.persistable($0) }
    guard events.allSatisfy({ $0.event.roomID == room }) else {
      throw MatrixError.badJSON("Events of several rooms in one call")
    }
  }
}
