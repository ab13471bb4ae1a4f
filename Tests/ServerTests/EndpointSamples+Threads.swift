import MatrixPrimitives
import Testing

/// Threads, notifications, account data that is deleted, and the endpoints that were before `/sync`.
extension EndpointSamples {
  static let threads: [Text: Recipe] = [
    "getThreadRoots": inRoom { room, _ in "/_matrix/client/v1/rooms/\(room)/threads" },
    "getThreadSubscription": { server in
      let thread = try await thread(server)
      _ = try await server.call("PUT", thread.target, "{}", as: thread.caller)
      return thread
    },
    "setThreadSubscription": { server in
      var thread = try await thread(server)
      thread.body = "{}"
      return thread
    },
    "deleteThreadSubscription": { try await thread($0) },
    "getThreadSubscriptions": {
      Sample(
        target: "/_matrix/client/unstable/io.element.msc4308/thread_subscriptions?dir=b",
        caller: try await $0.register())
    },
    "getNotifications": { Sample(target: "notifications?limit=1", caller: try await $0.register()) },
    "deleteAccountData": { server in
      let alice = try await server.register("alice")
      return Sample(target: "\(unstable)/user/\(escaped(alice.id))/account_data/org.example", caller: alice)
    },
    "deleteAccountDataPerRoom": { server in
      let alice = try await server.register("alice")
      let room = try await server.room(of: alice)
      return Sample(
        target: "\(unstable)/user/\(escaped(alice.id))/rooms/\(room)/account_data/org.example", caller: alice)
    },
    "initialSync": { server in
      let alice = try await server.register("alice")
      _ = try await server.room(of: alice)
      return Sample(target: "initialSync?limit=1", caller: alice)
    },
    "roomInitialSync": inRoom { room, _ in "rooms/\(room)/initialSync?limit=1" },
    "getEvents": { Sample(target: "events?timeout=0", caller: try await $0.register()) },
  ]

  private static let unstable: Text = "/_matrix/client/unstable/org.matrix.msc3391"

  /// Returns a request about the subscription of a thread, by one who may see it.
  private static func thread(_ server: TestServer) async throws -> Sample {
    let alice = try await server.register("alice")
    let room = try await server.room(of: alice)
    let event = try await server.message(in: room, as: alice)
    return Sample(
      target: "/_matrix/client/unstable/io.element.msc4306/rooms/\(room)/thread/\(event)/subscription", caller: alice)
  }
}
