import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Replication
import Stores

/// Events that came from other servers, on their way to the process that persists them: the call `POST fed_send_events/<transaction id>`,
/// body `{"room_id": …, "backfilled": …, "events": [{"event": …, "room_version": …, "event_format_version": …, "internal_metadata": …,
/// "outlier": …, "rejected_reason": …, "context": …}]}`. Observed on Synapse's wire.
struct FederatedEventsRequest: ReplicationCall {
  typealias Answer = StreamIDAnswer

  static let name = "fed_send_events"
  static let argumentNames: [Text] = []
  static let isCached = true

  /// The room of all events.
  let roomID: RoomID
  /// Whether the events are history rather than news.
  let isBackfilled: Bool
  /// The events in the order in which they follow one another.
  let events: [PersistableEvent]

  var arguments: [Text] { [] }
  var destination: CallDestination { .shard(of: .events, key: roomID.rawValue) }

  /// Reads a body.
  ///
  /// - Throws: `MatrixError` 400 when it does not have the form, or names a room version that is not known.
  init(arguments: CallArguments, body: JSONValue) throws {
    let room: RoomID = try body.require("room_id")
    roomID = room
    isBackfilled = try body.requireBool("backfilled")
    events = try body.requireArray("events").map { try SendEventsRequest.persistable($0) }
    guard events.allSatisfy({ $0.event.roomID == room }) else {
      throw MatrixError.badJSON("Events of several rooms in one call")
    }
  }

  func writeMembers(to writer: inout JSONWriter) {
    writer.key("events")
    writer.beginArray()
    for event in events {
      writer.beginObject()
      SendEventsRequest.write(event, to: &writer)
      writer.endObject()
    }
    writer.endArray()
    writer.member("backfilled", isBackfilled)
    writer.member("room_id", roomID)
  }
}
