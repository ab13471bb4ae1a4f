import MatrixPrimitives
import Testing

extension EndpointSamples {
  static let spaces: [Text: Recipe] = [
    "getSpaceHierarchy": { server in
      let alice = try await server.register("alice")
      let room = try await server.room(of: alice)
      return Sample(target: "/_matrix/client/v1/rooms/\(room)/hierarchy", caller: alice)
    },
    "getRoomSummary": { server in
      let room = try await server.room(of: try await server.register("alice"))
      return Sample(target: "/_matrix/client/v1/room_summary/\(room)")
    },
    "createRoomOnce": { Sample(target: "createRoom/t1", body: "{}", caller: try await $0.register()) },
    "search": { server in
      Sample(
        target: "search", body: #"{"search_categories":{"room_events":{"search_term":"tea"}}}"#,
        caller: try await server.register("alice"))
    },
    "getDelayedEvents": { server in
      Sample(target: "\(delayedEvents)", caller: try await server.register("alice"))
    },
    "getDelayedEvent": { server in
      let (alice, id) = try await delayedEvent(server)
      return Sample(target: "\(delayedEvents)/\(id)", caller: alice)
    },
    "updateDelayedEvent": { server in
      let (_, id) = try await delayedEvent(server)
      return Sample(target: "\(delayedEvents)/\(id)", body: #"{"action":"restart"}"#)
    },
    "cancelDelayedEvent": { Sample(target: "\(delayedEvents)/\(try await delayedEvent($0).id)/cancel", body: "{}") },
    "restartDelayedEvent": { Sample(target: "\(delayedEvents)/\(try await delayedEvent($0).id)/restart", body: "{}") },
    "sendDelayedEvent": { Sample(target: "\(delayedEvents)/\(try await delayedEvent($0).id)/send", body: "{}") },
    "upgradeRoom": { server in
      let alice = try await server.register("alice")
      let room = try await server.room(of: alice)
      return Sample(target: "rooms/\(room)/upgrade", body: #"{"new_version":"11"}"#, caller: alice)
    },
  ]

  private static let delayedEvents = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"

  /// Has a user send an event an hour later.
  private static func delayedEvent(_ server: TestServer) async throws -> (TestServer.Account, id: Text) {
    let alice = try await server.register("alice")
    let room = try await server.room(of: alice)
    let answer = try await server.call(
      "PUT", "rooms/\(room)/send/m.room.message/d1?org.matrix.msc4140.delay=3600000",
      #"{"msgtype":"m.text","body":"later"}"#, as: alice)
    return (alice, try #require(answer.json["delay_id"]?.string))
  }
}
