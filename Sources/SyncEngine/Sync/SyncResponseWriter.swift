import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// The writer of a sync result as JSON, which copies events from the bytes they are stored in.
struct SyncResponseWriter: Sendable {
  let service: SyncService
  let request: SyncRequest
  let options: ClientEventOptions
  private let fields: EventFieldSelection?

  init(service: SyncService, request: SyncRequest) {
    self.service = service
    self.request = request
    fields = request.filter.eventFields
    options = ClientEventOptions(
      request.filter.eventFormat == .federation ? .federation : .sync, requester: request.requester,
      now: service.clock.nowMilliseconds)
  }

  /// Returns the body of the response.
  func body(of result: SyncResult) async throws -> [UInt8] {
    let next = try await result.nextBatch.text(directory: service.stores.instances)
    var previous: [RoomID: Text] = [:]
    for room in result.joined + result.left {
      previous[room.id] = try await result.nextBatch.replacingRoom(room.timeline.previous)
        .text(directory: service.stores.instances)
    }
    var writer = JSONWriter(capacity: 1024 + (result.joined.count + result.left.count) * 4096)
    writer.beginObject()
    writer.member("next_batch", next)
    writeUserParts(of: result, to: &writer)
    writeRooms(of: result, previous, to: &writer)
    writer.endObject()
    return writer.bytes
  }

  // MARK: Parts about the user

  private func writeUserParts(of result: SyncResult, to writer: inout JSONWriter) {
    if !result.accountData.isEmpty { writeEvents("account_data", to: &writer) { write(result.accountData, to: &$0) } }
    if !result.presence.isEmpty { writeEvents("presence", to: &writer) { write(result.presence, to: &$0) } }
    if !result.toDevice.isEmpty { writeEvents("to_device", to: &writer) { Self.write(result.toDevice, to: &$0) } }
    if !result.changedDeviceLists.isEmpty || !result.leftDeviceLists.isEmpty {
      writer.key("device_lists" as StaticString)
      writer.beginObject()
      if !result.changedDeviceLists.isEmpty {
        writer.member("changed", strings: result.changedDeviceLists.map(\.rawValue))
      }
      if !result.leftDeviceLists.isEmpty { writer.member("left", strings: result.leftDeviceLists.map(\.rawValue)) }
      writer.endObject()
    }
    writer.key("device_one_time_keys_count" as StaticString)
    writer.beginObject()
    for (algorithm, count) in result.oneTimeKeyCounts { writer.member(algorithm, count) }
    writer.endObject()
    writer.member("device_unused_fallback_key_types", strings: result.unusedFallbackKeys)
  }

  private func writeEvents(_ key: Text, to writer: inout JSONWriter, _ body: (inout JSONWriter) -> Void) {
    writer.key(key)
    writer.beginObject()
    writer.key("events" as StaticString)
    writer.beginArray()
    body(&writer)
    writer.endArray()
    writer.endObject()
  }

  private func write(_ items: [SyncResult.Item], to writer: inout JSONWriter) {
    for item in items {
      writer.beginObject()
      writer.member("type", item.type)
      writer.key("content" as StaticString)
      writer.raw(item.content)
      writer.endObject()
    }
  }

  private func write(_ states: [PresenceState], to writer: inout JSONWriter) {
    for state in states {
      writer.beginObject()
      writer.member("type", "m.presence")
      writer.member("sender", state.user.rawValue)
      writer.key("content" as StaticString)
      state.writeContent(to: &writer, now: options.now)
      writer.endObject()
    }
  }

  private static func write(_ events: [[UInt8]], to writer: inout JSONWriter) {
    for event in events { writer.raw(event) }
  }

  // MARK: Rooms

  private func writeRooms(of result: SyncResult, _ previous: [RoomID: Text], to writer: inout JSONWriter) {
    guard !(result.joined.isEmpty && result.invited.isEmpty && result.knocked.isEmpty && result.left.isEmpty) else {
      return
    }
    writer.key("rooms" as StaticString)
    writer.beginObject()
    writeMap("join", result.joined, \.id, to: &writer) { writeRoom($0, isJoined: true, previous, to: &$1) }
    writeMap("invite", result.invited, \.id, to: &writer) {
      writeStripped($0, "invite_state", "invite_room_state", to: &$1)
    }
    writeMap("knock", result.knocked, \.id, to: &writer) {
      writeStripped($0, "knock_state", "knock_room_state", to: &$1)
    }
    writeMap("leave", result.left, \.id, to: &writer) { writeRoom($0, isJoined: false, previous, to: &$1) }
    writer.endObject()
  }

  private func writeMap<Element>(
    _ key: Text, _ elements: [Element], _ id: KeyPath<Element, RoomID>, to writer: inout JSONWriter,
    _ body: (Element, inout JSONWriter) -> Void
  ) {
    guard !elements.isEmpty else { return }
    writer.key(key)
    writer.beginObject()
    for element in elements {
      writer.key(element[keyPath: id].rawValue)
      body(element, &writer)
    }
    writer.endObject()
  }

  private func writeRoom(
    _ room: SyncResult.Room, isJoined: Bool, _ previous: [RoomID: Text], to writer: inout JSONWriter
  ) {
    writer.beginObject()
    writer.key("timeline" as StaticString)
    writer.beginObject()
    writer.key("events" as StaticString)
    writeAll(room.timeline.events, to: &writer)
    writer.member("prev_batch", previous[room.id] ?? "")
    writer.member("limited", room.timeline.isLimited)
    writer.endObject()
    writer.key(request.stateForm.key)
    writer.beginObject()
    writer.key("events" as StaticString)
    writeState(of: room, to: &writer)
    writer.endObject()
    writeEvents("account_data", to: &writer) { write(room.accountData, to: &$0) }
    if isJoined { writeJoinedParts(of: room, to: &writer) }
    writer.endObject()
  }

  private func writeJoinedParts(of room: SyncResult.Room, to writer: inout JSONWriter) {
    writeEvents("ephemeral", to: &writer) { Self.write(room.ephemeral, to: &$0) }
    writeCounts(of: room, to: &writer)
    writer.key("summary" as StaticString)
    writer.beginObject()
    if let summary = room.summary {
      writer.member("m.joined_member_count", summary.joined)
      writer.member("m.invited_member_count", summary.invited)
      if let heroes = summary.heroes { writer.member("m.heroes", strings: heroes.map(\.rawValue)) }
    }
    writer.endObject()
  }

  private func writeCounts(of room: SyncResult.Room, to writer: inout JSONWriter) {
    let (timeline, settings) = (request.filter.timeline, service.settings)
    let isByThread =
      timeline.unreadThreadNotifications
      || (settings.acceptsUnstableThreadCounts && timeline.unstableUnreadThreadNotifications)
    let counts = isByThread ? room.counts.main : room.counts.total
    writer.key("unread_notifications" as StaticString)
    Self.write(counts, to: &writer)
    if isByThread, !room.counts.threads.isEmpty {
      writeThreads(room.counts, "unread_thread_notifications", to: &writer)
      if settings.acceptsUnstableThreadCounts {
        writeThreads(room.counts, "org.matrix.msc3773.unread_thread_notifications", to: &writer)
      }
    }
    if settings.showsUnreadCounts { writer.member("org.matrix.msc2654.unread_count", counts.unread) }
  }

  private func writeThreads(_ counts: RoomNotificationCounts, _ name: Text, to writer: inout JSONWriter) {
    writer.object(name) { threads in
      for (thread, counts) in counts.threads {
        threads.key(thread)
        Self.write(counts, to: &threads)
      }
    }
  }

  private static func write(_ counts: NotificationCounts, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("notification_count", counts.notifications)
    writer.member("highlight_count", counts.highlights)
    writer.endObject()
  }

  // MARK: Events

  private func writeState(of room: SyncResult.Room, to writer: inout JSONWriter) {
    guard fields == nil, !room.wholeState.isEmpty else {
      let whole = room.wholeState.map { ClientEvent($0.event, replaced: $0.replaced) }
      return writeAll(whole + room.state, to: &writer)
    }
    writer.beginArray()
    for entry in room.wholeState {
      service.rooms.serializer.write(entry.event, replaced: entry.replaced, options, to: &writer)
    }
    for event in room.state { service.rooms.serializer.write(event, options, to: &writer) }
    writer.endArray()
  }

  private func writeAll(_ events: [ClientEvent], to writer: inout JSONWriter) {
    guard let fields else { return service.rooms.serializer.write(events, options, to: &writer) }
    writer.beginArray()
    for event in events {
      var whole = JSONWriter(capacity: 1024)
      service.rooms.serializer.write(event, options, to: &whole)
      if let json = try? JSONValue.parse(whole.bytes, maximumDepth: JSONDocument.storedDepth) {
        writer.value(fields.select(from: json))
      }
    }
    writer.endArray()
  }

  /// Writes the state that came with an invitation or a knock, and the membership event itself (MSC4319), stripped.
  private func writeStripped(
    _ room: SyncResult.Stripped, _ key: Text, _ source: Text, to writer: inout JSONWriter
  ) {
    writer.beginObject()
    writeEvents(key, to: &writer) { writer in
      if let state = room.event.event.unsigned?[source]?.elements { for event in state { writer.value(event) } }
      writer.beginObject()
      writer.member("type", room.event.type)
      writer.memberIfPresent("state_key", room.event.stateKey)
      writer.member("content", room.event.content)
      writer.member("sender", room.event.sender.rawValue)
      writer.endObject()
    }
    writer.endObject()
  }
}
