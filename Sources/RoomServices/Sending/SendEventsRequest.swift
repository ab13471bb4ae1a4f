import MatrixEvents
import MatrixPrimitives
import Replication
import Stores

/// Holds the body of the replication call `send_events`: new events on their way to the process that persists them.
///
/// The form is Synapse's, observed on its wire. The persister's answer is `{"stream_id": …, "event_id": …}` of the last event.
public struct SendEventsRequest: Sendable {
  /// Holds one event with all that its persister needs to know.
  public struct Element: Sendable {
    public let event: Event
    public let context: EventContext
    public let metadata: EventMetadata
    public let isOutlier: Bool
    public let rejectedReason: String?
    public let requester: Requester
    /// Tells whether the persister is to apply the rate limit of messages.
    public let ratelimit: Bool
    /// Lists users to wake besides the members of the room.
    public let extraUsers: [UserID]
  }

  /// Holds the events, all of one room, in the order of their chain.
  public let elements: [Element]

  init(elements: [Element]) {
    self.elements = elements
  }

  /// Reads a body.
  ///
  /// - Throws: `MatrixError` 400 when it does not have the form, or names a room version that is not known.
  public init(_ body: JSONValue) throws {
    var elements: [Element] = []
    for value in try body.requireArray("events") { elements.append(try Element(value)) }
    guard let room = elements.first?.event.roomID else { throw MatrixError.badJSON("No events") }
    guard elements.allSatisfy({ $0.event.roomID == room }) else {
      throw MatrixError.badJSON("Events of several rooms in one call")
    }
    self.elements = elements
  }

  /// Writes the members of the body, without its braces.
  func writeMembers(to writer: inout JSONWriter) {
    writer.key("events")
    writer.beginArray()
    for element in elements { element.write(to: &writer) }
    writer.endArray()
  }
}

extension SendEventsRequest.Element {
  init(_ value: JSONValue) throws {
    guard let version = RoomVersion.named(try value.requireString("room_version")) else {
      throw MatrixError.unsupportedRoomVersion()
    }
    do {
      event = try Event.parse(try value.requireObject("event"), version: version)
    } catch let error as EventError {
      throw error.matrixError
    }
    context = try EventContext(json: try value.requireObject("context"))
    metadata = EventMetadata(json: try value.requireObject("internal_metadata"))
    isOutlier = try value.optionalBool("outlier") ?? false
    rejectedReason = try value.optionalString("rejected_reason")
    requester = try Requester(json: try value.requireObject("requester"))
    ratelimit = try value.optionalBool("ratelimit") ?? true
    extraUsers = try value.optionalArray("extra_users")?.compactMap { $0.string.flatMap { UserID($0) } } ?? []
  }

  /// Numbers the three layouts of events, as Synapse counts them: ids in the event; ids as hashes; ids as URL-safe hashes.
  static func formatVersion(_ version: RoomVersion) -> Int64 {
    switch version.identifier {
    case "1", "2": 1
    case "3": 2
    case "12": 4
    default: 3
    }
  }

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("event", event.json)
    writer.member("room_version", event.version.identifier)
    writer.member("event_format_version", Self.formatVersion(event.version))
    writer.key("internal_metadata")
    metadata.write(to: &writer)
    writer.member("outlier", isOutlier)
    writer.member("rejected_reason", rejectedReason.map { .string($0) } ?? JSON.null)
    writer.member("requester", requester.json)
    writer.member("ratelimit", ratelimit)
    writer.member("extra_users", strings: extraUsers.map(\.rawValue))
    writer.member("context", context.json)
    writer.endObject()
  }
}
