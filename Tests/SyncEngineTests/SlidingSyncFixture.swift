import MatrixPrimitives
import Stores
import TestSupport

@testable import SyncEngine

extension SyncFixture {
  /// Asks for a sliding sync as the endpoint does, and waits until everything that happened before is delivered.
  func slide(
    _ body: JSON, as requester: Requester = bob, from: Text? = nil, timeout: Int64 = 0
  ) async throws -> JSON {
    await hub.waitUntilIdle()
    return try await slideNow(body, as: requester, from: from, timeout: timeout)
  }

  func slideNow(
    _ body: JSON, as requester: Requester = bob, from: Text? = nil, timeout: Int64 = 0
  ) async throws -> JSON {
    let pieces = try await slidingPieces(requester, body, from: from, timeout: timeout)
    return try JSON.parse(Array(pieces.joined()))
  }

  /// Returns the pieces of the answer: one, unless it is streamed.
  func slidingPieces(
    _ requester: Requester, _ body: JSON, from: Text? = nil, timeout: Int64 = 0
  ) async throws -> [[UInt8]] {
    let request = SlidingSyncRequest(
      requester: requester, from: try await services.sliding.token(from), timeoutMilliseconds: timeout,
      body: try SlidingSyncBody(try body.document()))
    let answer = try await withCheckedThrowingContinuation { continuation in
      _ = services.sliding.begin(request) { continuation.resume(with: $0) }
    }
    switch answer {
    case .whole(let body): return [body]
    case .pieces(let produce):
      var pieces: [[UInt8]] = []
      try await produce { pieces.append($0) }
      return pieces
    }
  }

  /// Makes rooms of Alice's in which Bob is, each with five messages; the last one is the newest.
  func busyRooms(_ count: Int) async throws -> [RoomID] {
    var rooms: [RoomID] = []
    for _ in 0..<count {
      let room = try await createRoom()
      try await change(.join, room, by: Self.bob)
      for number in 0..<5 { try await say("\(number)", room) }
      rooms.append(room)
    }
    return rooms
  }
}

extension JSON {
  /// Makes the body of a request with one list.
  static func list(
    _ ranges: JSON = [[0, 99]], limit: Int64 = 3, state: JSON = [], filters: JSON = [:], extensions: JSON = [:],
    subscriptions: JSON = [:]
  ) -> JSON {
    [
      "lists": [
        "all": ["ranges": ranges, "timeline_limit": .integer(limit), "required_state": state, "filters": filters]
      ],
      "extensions": extensions, "room_subscriptions": subscriptions,
    ]
  }

  /// Makes the body of a request about one room.
  static func subscription(_ room: RoomID, limit: Int64 = 3, state: JSON = [], extensions: JSON = [:]) -> JSON {
    [
      "room_subscriptions": .object([room.rawValue: ["timeline_limit": .integer(limit), "required_state": state]]),
      "extensions": extensions,
    ]
  }

  var pos: Text { self["pos"]?.string ?? "" }

  /// The rooms of the only range of the list.
  var listed: [Text] {
    at("lists", "all", "ops")?[0]?["room_ids"]?.elements?.compactMap(\.string) ?? []
  }

  var slidRooms: Set<Text> { Set(self["rooms"]?.members.map { $0.keys } ?? [:].keys) }

  func slid(_ room: RoomID) -> JSON? { at("rooms", room.rawValue) }

  /// Lists the bodies of the messages in a room's timeline.
  func slidBodies(_ room: RoomID) -> [Text] {
    slid(room)?["timeline"]?.elements?.compactMap { $0.at("content", "body")?.string } ?? []
  }

  /// Lists `type|state_key` of the state of a room.
  func slidState(_ room: RoomID) -> Set<Text> {
    Set(
      (slid(room)?["required_state"]?.elements ?? []).map {
        "\($0["type"]?.string ?? "")|\($0["state_key"]?.string ?? "-")"
      })
  }
}
