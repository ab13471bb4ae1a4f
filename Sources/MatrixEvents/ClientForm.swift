import MatrixPrimitives

/// The bytes of an event that are the same for every client, so that they are put together once and copied from then
/// on.
final class ClientForm: Sendable {
  /// The members `event_id`, `room_id` and those that clients get as they are stored, with commas between.
  let bytes: [UInt8]
  /// The index at which `event_id` ends.
  let idEnd: Int
  /// The index at which the stored members begin; a comma stands before.
  let membersStart: Int
  /// The time that `unsigned.age` is reckoned from, in milliseconds.
  let ageTS: Int64?
  /// Whether the stored `unsigned` holds anything else that clients may get.
  let keepsUnsigned: Bool

  init(_ event: Event) {
    var writer = JSONWriter(capacity: event.json.raw.count)
    writer.member("event_id", event.eventID)
    idEnd = writer.bytes.count
    writer.member("room_id", event.roomID)
    membersStart = writer.bytes.count + 1
    Self.copyMembers(of: event, to: &writer)
    bytes = writer.exactBytes
    ageTS = event.unsigned?["age_ts"]?.integer
    keepsUnsigned = Self.keptKeys.contains { event.unsigned?[$0] != nil }
  }

  private static let keptKeys = [
    "prev_content", "prev_sender", "replaces_state", "invite_room_state", "knock_room_state",
  ]

  private static func copyMembers(of event: Event, to writer: inout JSONWriter) {
    guard let members = event.json.members else { return }
    let target = event.type == EventType.redaction ? event.redacts : nil
    for (key, value, raw) in members.slices {
      switch key.string {
      case "event_id", "room_id", "unsigned", "auth_events", "prev_events", "hashes", "signatures", "depth", "origin",
        "prev_state":
        continue
      case "redacts" where target != nil: continue
      case "content" where target != nil && value["redacts"] == nil:
        // Clients find the target in either place, whatever the room version.
        writer.key("content")
        writer.beginObject()
        if let target { writer.member("redacts", target) }
        writer.rawMembers(value.raw.dropFirst().dropLast())
        writer.endObject()
      default: writer.rawMembers(raw)
      }
    }
    if let target { writer.member("redacts", target) }
  }
}
