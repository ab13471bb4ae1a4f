import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

extension SnapshotService {
  /// How a user stands to a room of which events and state are shown.
  struct Stay: Sendable {
    let room: RoomID
    let view: TimelineRequest.View
    /// The point up to which the user sees the room.
    let end: RoomStreamToken
    /// The event after which the user sees nothing; nil for the present.
    var departure: EventID?
    /// Whether the user was never in the room, which everyone may read.
    var isPeeking = false

    /// Takes a room of the user's list; nil where nothing but the membership is shown.
    init?(_ known: RoomForUser, departure: EventPosition?, now: RoomStreamToken) {
      room = known.roomID
      switch known.membership {
      case .join: (view, end) = (.joined(at: known.streamOrdering), now)
      case .leave:
        guard let departure else { return nil }
        (view, end) = (.departed, RoomStreamToken(stream: departure.streamOrdering))
        self.departure = departure.eventID
      default: return nil
      }
    }

    /// Takes the room of a request.
    init(_ room: RoomID, _ right: RoomAccess.Right, joinedAt: Int64?, now: RoomStreamToken) {
      self.room = room
      switch right {
      case .member: (view, end) = (.joined(at: joinedAt ?? .max), now)
      case .peeking: (view, end, isPeeking) = (.departed, now, true)
      case .departed(let departure):
        (view, end) = (.departed, RoomStreamToken(stream: departure.streamOrdering))
        self.departure = departure.eventID
      }
    }
  }

  /// The newest events of a room and its state.
  struct Part: Sendable {
    let events: [ClientEvent]
    let state: [ClientEvent]
    let start: Text
    let end: Text
  }

  /// Reads events and state of rooms, all together.
  ///
  /// - Parameter upTo: what the tokens say of other streams.
  func parts(_ stays: [Stay], _ query: Query, upTo: StreamToken) async throws -> [RoomID: Part] {
    let timelines = try await timelines(stays, query)
    let states = try await states(stays)
    let prepared = try await prepare(timelines.flatMap { $0 }, query)
    let replaced = try await prepare(states.values.flatMap { $0 }.map { ($0, nil) }, query)
    var parts: [RoomID: Part] = [:]
    for (stay, entries) in zip(stays, timelines) {
      var start = stay.end
      if let first = entries.first?.event {
        start = RoomStreamToken(topological: first.depth, stream: first.streamOrdering - 1)
      }
      parts[stay.room] = Part(
        events: entries.compactMap { prepared[$0.event.eventID] },
        state: (states[stay.room] ?? []).compactMap { replaced[$0.eventID] },
        start: try await text(upTo.replacingRoom(start)), end: try await text(upTo.replacingRoom(stay.end)))
    }
    return parts
  }

  private typealias Shown = (event: StoredEvent, membership: Text?)

  private func timelines(_ stays: [Stay], _ query: Query) async throws -> [[Shown]] {
    guard query.limit > 0 else { return stays.map { _ in [] } }
    let user = query.requester.userID
    var peeked: [RoomID: [Shown]] = [:]
    for stay in stays where stay.isPeeking {
      let page = try await stores.events.latestEvents(roomID: stay.room, upTo: stay.end, limit: query.limit)
      peeked[stay.room] = try await rooms.history.visibility.visible(page.events, to: user, with: .peeking).map {
        ($0.event, $0.membership)
      }
    }
    let own = stays.filter { !$0.isPeeking }
    let viewer = TimelineReader.Viewer(
      user: user, ignoredUsers: try await readers.accountData.ignoredUsers(of: user))
    let found = try await readers.timelines.timelines(
      own.map { TimelineRequest(room: $0.room, view: $0.view, after: nil, upTo: $0.end, limit: query.limit) },
      for: viewer, filter: EventFilter())
    let byRoom = Dictionary(zip(own.map(\.room), found)) { first, _ in first }
    return stays.map { stay in
      byRoom[stay.room]?.entries.map { ($0.event, $0.membership) } ?? peeked[stay.room] ?? []
    }
  }

  private func states(_ stays: [Stay]) async throws -> [RoomID: [StoredEvent]] {
    var states: [RoomID: [StoredEvent]] = [:]
    let departed = stays.compactMap { stay in
      stay.departure.map { RoomStateReader.Request(room: stay.room, event: $0, filter: .all) }
    }
    let maps = try await readers.states.states(departed)
    let events = try await stores.events.events(maps.values.flatMap(\.values))
    for stay in stays {
      if stay.departure == nil {
        states[stay.room] = try await readers.states.wholeState(of: stay.room).entries.map(\.event)
      } else {
        states[stay.room] = (maps[stay.room] ?? [:]).values.compactMap { events[$0] }
      }
    }
    return states
  }

  private func prepare(_ shown: [Shown], _ query: Query) async throws -> [EventID: ClientEvent] {
    var memberships: [EventID: Text] = [:]
    for entry in shown { memberships[entry.event.eventID] = entry.membership }
    let prepared = try await rooms.serializer.prepare(
      shown.map(\.event), for: query.requester.userID, memberships: memberships, bundles: false)
    return Dictionary(prepared.map { ($0.stored.eventID, $0) }) { first, _ in first }
  }

  /// Writes the members `messages` and `state`.
  func write(_ part: Part, _ options: ClientEventOptions, to writer: inout JSONWriter) {
    writer.object("messages") { messages in
      messages.key("chunk")
      rooms.serializer.write(part.events, options, to: &messages)
      messages.member("start", part.start)
      messages.member("end", part.end)
    }
    writer.key("state")
    rooms.serializer.write(part.state, options, to: &writer)
  }
}
