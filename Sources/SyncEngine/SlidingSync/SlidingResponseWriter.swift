import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// The writer of the answers to sliding syncs as JSON.
struct SlidingResponseWriter: Sendable {
  let service: SlidingSyncService
  let request: SlidingSyncRequest
  private let options: ClientEventOptions

  init(service: SlidingSyncService, request: SlidingSyncRequest) {
    self.service = service
    self.request = request
    options = ClientEventOptions(.sync, requester: request.requester, now: service.sync.clock.nowMilliseconds)
  }

  /// Stores what the client has after the answer, and writes the answer; a large one is read and written piece by piece while it is sent, and what the
  /// client has is stored when it is all sent but for the token.
  func answer(_ computation: SlidingComputation, _ finding: SlidingFinding) async throws -> SlidingSyncAnswer {
    guard finding.isComplete else {
      return .pieces { send in
        var finding = finding
        var isFirst = true
        try await send(begin(finding))
        try await computation.fill(&finding) { rooms, _ in
          try await send(write(rooms, isFirst: isFirst))
          isFirst = isFirst && rooms.isEmpty
        }
        try await send(finish(finding, token: try await computation.store(finding)))
      }
    }
    let token = try await computation.store(finding)
    return .whole(begin(finding) + write(finding.rooms, isFirst: true) + finish(finding, token: token))
  }

  // MARK: Pieces

  /// Writes the answer up to the first room.
  private func begin(_ finding: SlidingFinding) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      guard !finding.window.lists.isEmpty else { return }
      writer.object("lists") { writer in
        for (name, list) in finding.window.lists {
          writer.object(name) { writer in
            writer.member("count", list.count)
            writer.array("ops") { writer in for range in list.ranges { write(range.range, range.rooms, to: &writer) } }
          }
        }
      }
    }
    var bytes = writer.bytes
    bytes.removeLast()
    return bytes + Array((finding.window.lists.isEmpty ? #""rooms":{"# : #","rooms":{"#).utf8)
  }

  private func write(_ range: SlidingSyncBody.Range, _ rooms: [RoomID], to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("op", "SYNC")
      writer.array("range") { writer in
        writer.value(range.first)
        writer.value(range.last)
      }
      writer.member("room_ids", strings: rooms.map(\.rawValue))
    }
  }

  /// Writes rooms as members of an object that is open.
  private func write(_ rooms: [SlidingRoomResult], isFirst: Bool) -> [UInt8] {
    guard !rooms.isEmpty else { return [] }
    var writer = JSONWriter(capacity: 256 + rooms.count * 4096)
    writer.object { writer in for room in rooms { writer.object(room.id.rawValue) { write(room, to: &$0) } } }
    var bytes = writer.bytes
    bytes.removeLast()
    if isFirst { bytes.removeFirst() } else { bytes[0] = UInt8(ascii: ",") }
    return bytes
  }

  /// Writes what follows the rooms.
  private func finish(_ finding: SlidingFinding, token: Text) -> [UInt8] {
    var writer = JSONWriter(capacity: 1024)
    writer.object { writer in
      writer.object("extensions") { write(finding.extensions, to: &$0) }
      writer.member("pos", token)
    }
    var bytes = writer.bytes
    bytes[0] = UInt8(ascii: ",")
    return [UInt8(ascii: "}")] + bytes
  }

  // MARK: Rooms

  private func write(_ room: SlidingRoomResult, to writer: inout JSONWriter) {
    // Zeroes, as Synapse's: a room that was read is not sent again, so that other numbers would stay with the client.
    writer.member("notification_count", 0)
    writer.member("highlight_count", 0)
    writer.memberIfPresent("bump_stamp", room.bumpStamp)
    if let counts = room.counts {
      writer.member("joined_count", counts.joined)
      writer.member("invited_count", counts.invited)
    }
    if let name = room.name, !name.isEmpty { writer.member("name", name) }
    if let avatar = room.avatar, !avatar.isEmpty { writer.member("avatar", avatar) }
    if !room.heroes.isEmpty {
      writer.array("heroes") { writer in for hero in room.heroes { write(hero, to: &writer) } }
    }
    if room.isInitial { writer.member("initial", true) }
    if room.isExpanded { writer.member("unstable_expanded_timeline", true) }
    if !room.requiredState.isEmpty {
      writer.key("required_state" as StaticString)
      service.rooms.serializer.write(room.requiredState, options, to: &writer)
    }
    if let timeline = room.timeline { write(timeline, to: &writer) }
    if room.isDirect { writer.member("is_dm", true) }
    if let stripped = room.stripped { writeStripped(stripped, to: &writer) }
  }

  private func write(_ hero: SlidingRoomResult.Hero, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("user_id", hero.user.rawValue)
      writer.memberIfPresent("displayname", hero.displayName)
      writer.memberIfPresent("avatar_url", hero.avatarURL)
    }
  }

  private func write(_ timeline: SlidingRoomResult.Timeline, to writer: inout JSONWriter) {
    if !timeline.events.isEmpty {
      writer.key("timeline" as StaticString)
      service.rooms.serializer.write(timeline.events, options, to: &writer)
    }
    writer.member("limited", timeline.isLimited)
    writer.member("prev_batch", timeline.previous)
    writer.member("num_live", timeline.liveCount)
  }

  /// Writes the state that came with an invitation or a knock, and the membership event itself, stripped.
  private func writeStripped(_ event: StoredEvent, to writer: inout JSONWriter) {
    let source: Text = event.event.membership == "knock" ? "knock_room_state" : "invite_room_state"
    writer.array("invite_state") { writer in
      if let state = event.event.unsigned?[source]?.elements { for event in state { writer.value(event) } }
      writer.object { writer in
        writer.member("type", event.type)
        writer.memberIfPresent("state_key", event.stateKey)
        writer.member("content", event.content)
        writer.member("sender", event.sender.rawValue)
      }
    }
  }

  // MARK: Extensions

  private func write(_ extensions: SlidingExtensions, to writer: inout JSONWriter) {
    if let toDevice = extensions.toDevice {
      writer.object("to_device") { writer in
        writer.member("next_batch", Text(toDevice.next))
        writer.array("events") { writer in for message in toDevice.messages { writer.raw(message) } }
      }
    }
    if let keys = extensions.keys { writer.object("e2ee") { write(keys, to: &$0) } }
    if let data = extensions.accountData { writer.object("account_data") { write(data, to: &$0) } }
    if let receipts = extensions.receipts {
      writeRooms("receipts", receipts, to: &writer) { event, writer in writer.raw(event) }
    }
    if let typing = extensions.typing {
      writeRooms("typing", typing, to: &writer) { users, writer in
        writer.object { writer in
          writer.member("type", "m.typing")
          writer.object("content") { $0.member("user_ids", strings: users.map(\.rawValue)) }
        }
      }
    }
    if let changes = extensions.threadSubscriptions {
      writer.object("io.element.msc4308.thread_subscriptions") { writer in
        write(changes, hasOlder: extensions.hasOlderSubscriptions, to: &writer)
      }
    }
  }

  private func write(_ keys: SlidingExtensions.Keys, to writer: inout JSONWriter) {
    writer.object("device_one_time_keys_count") { writer in
      for (algorithm, count) in keys.oneTimeKeyCounts { writer.member(algorithm, count) }
    }
    writer.member("device_unused_fallback_key_types", strings: keys.unusedFallbackKeys)
    guard let changes = keys.changes else { return }
    writer.object("device_lists") { writer in
      writer.member("changed", strings: changes.changed.map(\.rawValue))
      writer.member("left", strings: changes.left.map(\.rawValue))
    }
  }

  private func write(_ data: SlidingExtensions.AccountData, to writer: inout JSONWriter) {
    func write(_ items: [SyncResult.Item], to writer: inout JSONWriter) {
      for item in items {
        writer.object { writer in
          writer.member("type", item.type)
          writer.key("content" as StaticString)
          writer.raw(item.content)
        }
      }
    }
    writer.array("global") { write(data.global, to: &$0) }
    writer.object("rooms") { writer in
      for (room, items) in data.rooms { writer.array(room.rawValue) { write(items, to: &$0) } }
    }
  }

  private func writeRooms<Value>(
    _ name: Text, _ rooms: [RoomID: Value], to writer: inout JSONWriter, _ body: (Value, inout JSONWriter) -> Void
  ) {
    writer.object(name) { writer in
      writer.object("rooms") { writer in
        for (room, value) in rooms {
          writer.key(room.rawValue)
          body(value, &writer)
        }
      }
    }
  }

  private func write(_ changes: [ThreadSubscriptionChange], hasOlder: Bool, to writer: inout JSONWriter) {
    for (name, isSubscribed) in [("subscribed", true), ("unsubscribed", false)] as [(Text, Bool)] {
      let rooms = Dictionary(grouping: changes.filter { $0.isSubscribed == isSubscribed }, by: \.room)
      guard !rooms.isEmpty else { continue }
      writer.object(name) { writer in
        for (room, changes) in rooms {
          writer.object(room.rawValue) { writer in
            for change in changes {
              writer.object(change.root.rawValue) { writer in
                if isSubscribed { writer.member("automatic", change.isAutomatic) }
                writer.member("bump_stamp", change.streamID)
              }
            }
          }
        }
      }
    }
    // The end of what was left out; it is included there.
    if hasOlder, let first = changes.first { writer.member("prev_batch", "ts\(first.streamID - 1)") }
  }
}
