import MatrixPrimitives
import Testing

extension EndpointSamples {
  /// Returns a request of an administrator about another user.
  private static func administration(_ what: Text, body: Text = "") -> Recipe {
    { server in
      let (admin, bob) = (try await server.administrator(), try await server.register("bob"))
      return Sample(target: "/_matrix/client/v1/admin/\(what)/\(escaped(bob.id))", body: body, caller: admin)
    }
  }

  static let userDirectory: [Text: Recipe] = [
    "searchUserDirectory": {
      Sample(target: "user_directory/search", body: #"{"search_term":"a"}"#, caller: try await $0.register())
    },
    "getMutualRooms": { server in
      let (alice, bob) = (try await server.register("alice"), try await server.register("bob"))
      return Sample(target: "/_matrix/client/v1/mutual_rooms?user_id=\(escaped(bob.id))", caller: alice)
    },
    "getWhoIs": { server in
      let alice = try await server.register("alice")
      return Sample(target: "admin/whois/\(escaped(alice.id))", caller: alice)
    },
    "getAdminSuspendUser": administration("suspend"),
    "setAdminSuspendUser": administration("suspend", body: #"{"suspended":true}"#),
    "getAdminLockUser": administration("lock"),
    "setAdminLockUser": administration("lock", body: #"{"locked":true}"#),
    "suspendAccount": { server in
      let (admin, bob) = (try await server.administrator(), try await server.register("bob"))
      return Sample(
        target: "/_synapse/admin/v1/suspend/\(escaped(bob.id))", body: #"{"suspend":true}"#, caller: admin)
    },
    "reportEvent": inRoom({ "rooms/\($0)/report/\($1)" }, body: #"{"reason":"rude","score":-100}"#),
    "reportRoom": inRoom({ room, _ in "rooms/\(room)/report" }, body: #"{"reason":"rude"}"#),
    "reportUser": { server in
      let (alice, bob) = (try await server.register("alice"), try await server.register("bob"))
      return Sample(target: "users/\(escaped(bob.id))/report", body: #"{"reason":"rude"}"#, caller: alice)
    },
  ]
}
