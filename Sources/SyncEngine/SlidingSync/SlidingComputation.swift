import MatrixPrimitives
import Stores

/// The work on one look at what is new for a connection.
///
/// What is new is found first, then rooms are read in batches, then what is wanted beside them. Nothing is stored before the answer is given: a look without
/// news leaves no trace.
struct SlidingComputation: Sendable {
  /// The greatest number of rooms that are read together.
  static let batch = 50
  /// The number of events beyond which rooms with long timelines are read fewer at a time.
  private static let eventsOfBatch = 2_000

  let service: SlidingSyncService
  let request: SlidingSyncRequest
  let place: SlidingConnectionStore.Place
  /// The client's token, cut to what there is.
  let from: StreamToken?

  /// Finds what is new.
  ///
  /// - Throws: `M_UNKNOWN_POS` when the client had better begin anew.
  func find() async throws -> SlidingFinding {
    let user = request.requester.userID
    let (memberships, now) = try await service.readers.memberships.current(of: user)
    var window = SlidingWindow()
    if request.body.wantsRooms {
      window = try await SlidingWindowReader(
        service: service, request: request, connection: place.connection, from: from
      ).window(memberships, now)
    } else if let from {
      let live = place.connection.rooms.lazy.filter { $0.value == .live }.map(\.key)
      window.unseen = Set(live.filter { service.stores.events.hasRoomChanged($0, since: from.room) })
    }
    var finding = SlidingFinding(now: now, window: window, memberships: memberships, changes: place.connection)
    let isFirst = from == nil || window.toSend.contains { isSurelySent($0, in: window) }
    guard window.toSend.count <= batch(of: window) || !isFirst else { return finding }
    try await fill(&finding) { rooms, finding in finding.rooms += rooms }
    return finding
  }

  /// Returns whether a room is sent whatever is found: for the first time, or with a longer timeline.
  private func isSurelySent(_ room: RoomID, in window: SlidingWindow) -> Bool {
    guard place.connection.rooms[room] != nil else { return true }
    guard let known = place.connection.configs[room], let wanted = window.wanted[room] else { return false }
    return known.timelineLimit < wanted.timelineLimit
  }

  /// Returns how many rooms are read together.
  private func batch(of window: SlidingWindow) -> Int {
    let longest = window.wanted.values.lazy.map(\.timelineLimit).max() ?? 0
    return min(max(Self.eventsOfBatch / max(longest, 1), 1), Self.batch)
  }

  /// Reads the rooms and the rest of an answer.
  ///
  /// - Parameter take: takes each batch of rooms.
  func fill(
    _ finding: inout SlidingFinding, take: ([SlidingRoomResult], inout SlidingFinding) async throws -> Void
  ) async throws {
    let (window, now) = (finding.window, finding.now)
    let reader = SlidingRoomReader(
      service: service, request: request, place: place, from: from, now: now, window: window,
      ignoredUsers: try await service.readers.accountData.ignoredUsers(of: request.requester.userID))
    var sent: [SlidingRoomNotice] = []
    let batch = batch(of: window)
    var start = 0
    while start < window.toSend.count {
      let end = min(start + batch, window.toSend.count)
      let rooms = try await reader.rooms(window.toSend[start..<end], &finding.changes)
        .filter { from == nil || $0.isNews }
      sent += rooms.map { SlidingRoomNotice($0) }
      try await take(rooms, &finding)
      start = end
    }
    finding.extensions = try await SlidingExtensionReader(
      service: service, request: request, connection: place.connection, from: from, now: now,
      memberships: finding.memberships, window: window
    ).extensions(sent, &finding.changes)
    if let from { finding.changes.withheld(rooms: window.unseen, after: from.room) }
    finding.changes.sent(rooms: window.toSend)
    finding.isComplete = true
  }

  /// Stores what the client has after an answer.
  ///
  /// - Returns: the token of the answer.
  /// - Throws: `M_UNKNOWN_POS` when the position that the client came with is gone.
  func store(_ finding: SlidingFinding) async throws -> Text {
    var position = place.position
    // A request that is not about rooms leaves some behind, too, since its token is later.
    if request.body.wantsRooms || place.position > 0 {
      guard let new = try await service.connections.store(finding.changes, of: request.connection, after: place) else {
        throw MatrixError.unknownPosition()
      }
      position = new
    }
    return try await SlidingToken(position: position, streams: finding.now).text(directory: service.stores.instances)
  }
}

/// What was found at a look.
struct SlidingFinding: Sendable {
  let now: StreamToken
  let window: SlidingWindow
  let memberships: [RoomForUser]
  /// What the client has after the answer.
  var changes: SlidingConnectionChanges
  /// The rooms of the answer, as far as they were read.
  var rooms: [SlidingRoomResult] = []
  var extensions = SlidingExtensions()
  /// Whether everything was read. Of a large answer only that is known at first what it is about.
  var isComplete = false

  init(now: StreamToken, window: SlidingWindow, memberships: [RoomForUser], changes base: SlidingConnection) {
    self.now = now
    self.window = window
    self.memberships = memberships
    changes = SlidingConnectionChanges(of: base)
  }

  /// Whether there is nothing that a waiting client should be woken for.
  var isEmpty: Bool { isComplete && rooms.isEmpty && !extensions.areNews }
}
