import MatrixPrimitives
import Stores

/// What is no room event, in the form of the endpoints that were before `/sync`: each names its room or user itself.
enum SnapshotEvents {
  /// Writes presence as an event.
  static func write(_ state: PresenceState, now: Int64, to writer: inout JSONWriter) {
    writer.object { event in
      event.member("type", "m.presence")
      event.key("content" as StaticString)
      state.writeContent(to: &event, now: now, includesUser: true)
    }
  }

  /// Writes who types in a room as an event.
  static func write(typing users: [UserID], in room: RoomID, to writer: inout JSONWriter) {
    writer.object { event in
      event.member("type", "m.typing")
      event.member("room_id", room)
      event.object("content") { $0.member("user_ids", strings: users.map(\.rawValue)) }
    }
  }

  /// Writes account data as events.
  ///
  /// - Parameter room: the room to name; nil to name none.
  static func write(
    _ entries: [Text: UserAccountData.Entry], in room: RoomID? = nil, to writer: inout JSONWriter
  ) {
    for (type, entry) in entries {
      writer.object { event in
        event.member("type", type)
        event.memberIfPresent("room_id", room)
        event.key("content" as StaticString)
        event.raw(entry.content)
      }
    }
  }

  /// Writes tags as an event.
  static func write(_ tags: UserAccountData.RoomTags, in room: RoomID? = nil, to writer: inout JSONWriter) {
    writer.object { event in
      event.member("type", "m.tag")
      event.memberIfPresent("room_id", room)
      event.object("content") { content in
        content.object("tags") { object in
          for (tag, value) in tags.tags {
            object.key(tag)
            object.raw(value)
          }
        }
      }
    }
  }
}
