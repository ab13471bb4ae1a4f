import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Replication
import Stores

/// New events on their way to the process that persists them: the call `POST send_events/<transaction id>`, body `{"events": [{"event": …,
/// "room_version": …, "event_format_version": …, "internal_metadata": …, "outlier": …, "rejected_reason": …, "requester": …,
/// "ratelimit": …, "extra_users": …, "context": …}]}`. Observed on Synapse's wire.
struct SendEventsRequest: ReplicationCall {
  static let name = "send_events"
  static let argumentNames: [Text] = []
  static let isCached = true

  /// One event with all that its persister needs to know.
  struct Element: Sendable {
    /// The event and what goes along with it; its push actions are in the staging table.
    var persistable: PersistableEvent
    /// The sender's requester.
    let requester: Requester
    /// Whether the persister is to apply the rate limit of messages.
    let ratelimit: Bool
    /// Users to wake besides the members of the room.
    let extraUsers: [UserID]
  }

  /// What the persister answers: `{"stream_id": 7, "event_id": "$e"}`, of the last event.
  struct Answer: ReplicationAnswer {
    /// The position of the event.
    let streamID: Int64
    /// The event; another than was sent when that repeated a transaction.
    let eventID: EventID
  }

  /// The events, all of one room, in the order of their chain.
  let elements: [Element]

  init(elements: [Element]) {
    self.elements = elements
  }

  var arguments: [Text] { [] }
  var destination: CallDestination {
    .shard(of: .events, key: elements.first?.persistable.event.roomID.rawValue ?? "")
  }

  /// Reads a body.
  ///
  /// - Throws: `MatrixError` 400 when it does not have the form, or names a room version that is not known.
  init(arguments: CallArguments, body: JSONValue) throws {
    var elements: [Element] = []
    for value in try body.requireArray("events") { elements.append(try Element(value)) }
    guard let room = elements.first?.persistable.event.roomID else { throw MatrixError.badJSON("No events") }
    guard elements.allSatisfy({ $0.persistable.event.roomID == room }) else {
      throw MatrixError.badJSON("Events of several rooms in one call")
    }
    self.elements = elements
  }

  /// Reads what `send_events` and `fed_send_events` say of an event alike.
  static func persistable(_ value: JSONValue) throws -> PersistableEvent {
    guard let version = RoomVersion.named(try value.requireString("room_version")) else {
      throw MatrixError.unsupportedRoomVersion()
    }
    let event: Event
    do {
      event = try Event.parse(try value.requireObject("event"), version: version)
    } catch let error as EventError {
      throw error.matrixError
    }
    var context = try EventContext(json: try value.requireObject("context"))
    if let reason = try value.optionalString("rejected_reason"), context.rejected == nil { context.rejected = reason }
    return PersistableEvent(
      event: event, context: context, metadata: EventMetadata(json: try value.requireObject("internal_metadata")),
      isOutlier: try value.optionalBool("outlier") ?? false)
  }

  /// Writes what `send_events` and `fed_send_events` say of an event alike, without the braces.
  static func write(_ persistable: PersistableEvent, to writer: inout JSONWriter) {
    let event = persistable.event
    writer.member("event", event.json)
    writer.member("room_version", event.version.identifier)
    writer.member("event_format_version", formatVersion(event.version))
    writer.key("internal_metadata")
    persistable.metadata.write(to: &writer)
    writer.member("outlier", persistable.isOutlier)
    writer.member("rejected_reason", persistable.context.rejected.map { .string($0) } ?? JSON.null)
    writer.member("context", persistable.context.json)
  }

  /// Numbers the three layouts of events, as Synapse counts them: ids in the event; ids as hashes; ids as URL-safe hashes.
  private static func formatVersion(_ version: RoomVersion) -> Int64 {
    switch version.identifier {
    case "1", "2": 1
    case "3": 2
    case "12": 4
    default: 3
    }
  }

  func writeMembers(to writer: inout JSONWriter) {
    writer.key("events")
    writer.beginArray()
    for element in elements { element.write(to: &writer) }
    writer.endArray()
  }
}

extension SendEventsRequest.Answer {
  init(answer: JSONValue) throws(MatrixError) {
    streamID = try answer.requireInteger("stream_id")
    eventID = try answer.require("event_id")
  }

  func writeMembers(to writer: inout JSONWriter) {
    writer.member("stream_id", streamID)
    writer.member("event_id", eventID)
  }
}

extension SendEventsRequest.Element {
  init(_ value: JSONValue) throws {
    persistable = try SendEventsRequest.persistable(value)
    requester = try Requester(json: try value.requireObject("requester"))
    ratelimit = try value.optionalBool("ratelimit") ?? true
    extraUsers = try value.optionalArray("extra_users")?.compactMap { $0.string.flatMap { UserID($0) } } ?? []
  }

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    SendEventsRequest.write(persistable, to: &writer)
    writer.member("requester", requester.json)
    writer.member("ratelimit", ratelimit)
    writer.member("extra_users", strings: extraUsers.map(\.rawValue))
    writer.endObject()
  }
}
