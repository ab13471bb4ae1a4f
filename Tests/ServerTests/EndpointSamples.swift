import MatrixPrimitives
import Testing

/// A request to each endpoint that succeeds. An endpoint without one fails the tests.
enum EndpointSamples {
  /// A request: method and endpoint are known already.
  struct Sample {
    let target: Text
    var body: Text = ""
    var caller: TestServer.Account?
    /// Of success; another one than 200 only where the specification says so, or where there is nothing to be found yet.
    var status = 200
    /// Further header fields.
    var headers: [Text: Text] = [:]
  }

  /// A closure that makes what the request needs, on a server that others use too, and the request.
  typealias Recipe = @Sendable (_ server: TestServer) async throws -> Sample

  static let all: [Text: Recipe] = groups.reduce(into: [:]) { all, group in
    all.merge(group) { first, _ in first }
  }

  private static let groups: [[Text: Recipe]] = [
    server,
    accounts,
    sessions,
    profiles,
    memberships,
    events,
    directory,
    sync,
    encryption,
    keyBackup,
    rendezvous,
    threads,
    slidingSync,
    spaces,
    identity,
    userDirectory,
  ]

  static func escaped(_ text: Text) -> Text { TestServer.escaped(text) }

  /// Returns the stage of interactive authentication in which an account shows its password.
  static func auth(_ account: TestServer.Account) -> Text {
    #""auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":"\#(account.id)"},"password":"\#(account.password)"}"#
  }

  private static let server: [Text: Recipe] = [
    "getVersions": { _ in Sample(target: "/_matrix/client/versions") },
    "getWellknown": { _ in Sample(target: "/.well-known/matrix/client") },
    "getTurnServer": { Sample(target: "voip/turnServer", caller: try await $0.guest()) },
    "getCapabilities": { Sample(target: "capabilities", caller: try await $0.register()) },
    "getRegistrationNonce": { _ in Sample(target: "/_synapse/admin/v1/register") },
  ]

  private static let accounts: [Text: Recipe] = [
    "register": { server in
      Sample(
        target: "register",
        body: #"{"username":"\#(server.unique("new"))","password":"p","auth":{"type":"m.login.dummy"}}"#)
    },
    "checkUsernameAvailability": { Sample(target: "register/available?username=\($0.unique("free"))") },
    "registrationTokenValidity": { _ in
      Sample(target: "/_matrix/client/v1/register/m.login.registration_token/validity?token=none")
    },
    "registerWithSharedSecret": { try await SharedSecretSample.make($0) },
    "getTokenOwner": { Sample(target: "account/whoami", caller: try await $0.guest()) },
    "getAccount3PIDs": { Sample(target: "account/3pid", caller: try await $0.register()) },
    "changePassword": { server in
      let user = try await server.register()
      return Sample(target: "account/password", body: #"{"new_password":"other",\#(auth(user))}"#, caller: user)
    },
    "deactivateAccount": { server in
      let user = try await server.register()
      return Sample(target: "account/deactivate", body: "{\(auth(user))}", caller: user)
    },
  ]

  private static let sessions: [Text: Recipe] = [
    "getLoginFlows": { _ in Sample(target: "login") },
    "getPasswordPolicy": { _ in Sample(target: "password_policy") },
    "login": { Sample(target: "login", body: login(try await $0.register())) },
    "logout": { Sample(target: "logout", caller: try await $0.register()) },
    "logout_all": { Sample(target: "logout/all", caller: try await $0.register()) },
    "refresh": { server in
      let user = try await server.register()
      let session = try await server.call("POST", "login", login(user, #","refresh_token":true"#))
      let token = try #require(session.json["refresh_token"]?.string)
      return Sample(target: "refresh", body: #"{"refresh_token":"\#(token)"}"#)
    },
    "getDevices": { Sample(target: "devices", caller: try await $0.register()) },
    "getDevice": { server in
      let user = try await server.register()
      return Sample(target: "devices/\(user.device)", caller: user)
    },
    "updateDevice": { server in
      let user = try await server.register()
      return Sample(target: "devices/\(user.device)", body: #"{"display_name":"Phone"}"#, caller: user)
    },
    "deleteDevice": { server in
      let user = try await server.register()
      return Sample(target: "devices/\(user.device)", body: "{\(auth(user))}", caller: user)
    },
    "deleteDevices": { server in
      let user = try await server.register()
      return Sample(
        target: "delete_devices", body: #"{"devices":["\#(user.device)"],\#(auth(user))}"#, caller: user)
    },
  ]

  static func login(_ user: TestServer.Account, _ more: Text = "") -> Text {
    #"{"type":"m.login.password","identifier":{"type":"m.id.user","user":"\#(user.id)"},"password":"\#(user.password)"\#(more)}"#
  }

  private static let profiles: [Text: Recipe] = [
    "getUserProfile": { Sample(target: "profile/\(escaped(try await $0.register().id))") },
    "getProfileField": { Sample(target: "profile/\(escaped(try await $0.register().id))/displayname") },
    "setProfileField": { server in
      let user = try await server.register()
      return Sample(target: "profile/\(escaped(user.id))/displayname", body: #"{"displayname":"A"}"#, caller: user)
    },
    "deleteProfileField": { server in
      let user = try await server.register()
      return Sample(target: "profile/\(escaped(user.id))/displayname", caller: user)
    },
  ]

  // MARK: Rooms

  /// Returns a request about another user, by one who may.
  static func change(_ action: Text, after: Text? = nil, once: Bool = false) -> Recipe {
    { server in
      let (alice, bob) = (try await server.register("alice"), try await server.register("bob"))
      let room = try await server.room(of: alice)
      if action != "invite" { _ = try await server.call("POST", "rooms/\(room)/join", "{}", as: bob) }
      let body = #"{"user_id":"\#(bob.id)"}"#
      if let after { _ = try await server.call("POST", "rooms/\(room)/\(after)", body, as: alice) }
      return Sample(target: "rooms/\(room)/\(action)\(once ? "/t1" : "")", body: body, caller: alice)
    }
  }

  /// Returns a request of a user about the own membership of a public room.
  static func own(_ target: @escaping @Sendable (_ room: Text) -> Text, after: [Text] = []) -> Recipe {
    { server in
      let (alice, bob) = (try await server.register("alice"), try await server.register("bob"))
      let room = try await server.room(of: alice)
      for action in after { _ = try await server.call("POST", "rooms/\(room)/\(action)", "{}", as: bob) }
      return Sample(target: target(room), body: "{}", caller: bob)
    }
  }

  private static let memberships: [Text: Recipe] = [
    "createRoom": { Sample(target: "createRoom", body: "{}", caller: try await $0.register()) },
    "joinRoomById": own { "rooms/\($0)/join" },
    "joinRoomByIdOnce": own { "rooms/\($0)/join/t1" },
    "joinRoom": own { "join/\($0)" },
    "joinRoomOnce": own { "join/\($0)/t1" },
    "leaveRoom": own({ "rooms/\($0)/leave" }, after: ["join"]),
    "leaveRoomOnce": own({ "rooms/\($0)/leave/t1" }, after: ["join"]),
    "forgetRoom": own({ "rooms/\($0)/forget" }, after: ["join", "leave"]),
    "forgetRoomOnce": own({ "rooms/\($0)/forget/t1" }, after: ["join", "leave"]),
    "inviteUser": change("invite"),
    "inviteUserOnce": change("invite", once: true),
    "kick": change("kick"),
    "kickOnce": change("kick", once: true),
    "ban": change("ban"),
    "banOnce": change("ban", once: true),
    "unban": change("unban", after: "ban"),
    "unbanOnce": change("unban", after: "ban", once: true),
    "knockRoom": { server in
      let (alice, bob) = (try await server.register("alice"), try await server.register("bob"))
      let room = try await server.room(
        of: alice,
        #"{"initial_state":[{"type":"m.room.join_rules","state_key":"","content":{"join_rule":"knock"}}]}"#)
      return Sample(target: "knock/\(room)", body: "{}", caller: bob)
    },
    "getJoinedRooms": { Sample(target: "joined_rooms", caller: try await $0.register()) },
  ]

  /// Returns a request of a member about a room and an event in it.
  static func inRoom(
    _ target: @escaping @Sendable (_ room: Text, _ event: Text) -> Text, body: Text = ""
  ) -> Recipe {
    { server in
      let alice = try await server.register("alice")
      let room = try await server.room(of: alice)
      let event = try await server.message(in: room, as: alice)
      return Sample(target: target(room, event), body: body, caller: alice)
    }
  }

  private static let events: [Text: Recipe] = [
    "sendMessage": inRoom(
      { room, _ in "rooms/\(room)/send/m.room.message/t" }, body: #"{"msgtype":"m.text","body":"x"}"#),
    "sendMessageAgain": inRoom(
      { room, _ in "rooms/\(room)/send/m.room.message" }, body: #"{"msgtype":"m.text","body":"x"}"#),
    "setRoomStateWithKey": inRoom({ room, _ in "rooms/\(room)/state/m.room.topic/" }, body: #"{"topic":"Tea"}"#),
    "redactEvent": inRoom({ "rooms/\($0)/redact/\($1)/t" }, body: "{}"),
    "redactEventAgain": inRoom({ "rooms/\($0)/redact/\($1)" }, body: "{}"),
    "getRoomEvents": inRoom { room, _ in "rooms/\(room)/messages?dir=b" },
    "getOneRoomEvent": inRoom { "rooms/\($0)/event/\($1)" },
    "getOneEvent": inRoom { _, event in "events/\(event)" },
    "getEventContext": inRoom { "rooms/\($0)/context/\($1)" },
    "getRelatingEvents": inRoom { "/_matrix/client/v1/rooms/\($0)/relations/\($1)" },
    "getEventByTimestamp": inRoom { room, _ in "/_matrix/client/v1/rooms/\(room)/timestamp_to_event?ts=0&dir=f" },
    "getRoomState": inRoom { room, _ in "rooms/\(room)/state" },
    "getRoomStateWithKey": inRoom { room, _ in "rooms/\(room)/state/m.room.create/" },
    "getMembersByRoom": inRoom { room, _ in "rooms/\(room)/members" },
    "getJoinedMembersByRoom": inRoom { room, _ in "rooms/\(room)/joined_members" },
    "getLocalAliases": inRoom { room, _ in "rooms/\(room)/aliases" },
    "postReceipt": inRoom({ "rooms/\($0)/receipt/m.read/\($1)" }, body: "{}"),
    "setReadMarker": { server in
      let alice = try await server.register("alice")
      let room = try await server.room(of: alice)
      let answer = try await server.call(
        "PUT", "rooms/\(room)/send/m.room.message/t", #"{"msgtype":"m.text","body":"x"}"#, as: alice)
      let event = try #require(answer.json["event_id"]?.string)
      return Sample(
        target: "rooms/\(room)/read_markers", body: #"{"m.fully_read":"\#(event)","m.read":"\#(event)"}"#, caller: alice
      )
    },
    "setTyping": { server in
      let alice = try await server.register("alice")
      let room = try await server.room(of: alice)
      return Sample(
        target: "rooms/\(room)/typing/\(escaped(alice.id))", body: #"{"typing":true,"timeout":1000}"#, caller: alice)
    },
  ]

  private static let directory: [Text: Recipe] = [
    "getRoomIdByAlias": { server in
      let (alice, name) = (try await server.register("alice"), server.unique("alias"))
      _ = try await server.room(of: alice, #"{"room_alias_name":"\#(name)"}"#)
      return Sample(target: "directory/room/\(escaped("#\(name):test"))")
    },
    "setRoomAlias": { server in
      let (alice, name) = (try await server.register("alice"), server.unique("alias"))
      let room = try #require(
        try await server.call("POST", "createRoom", "{}", as: alice).json["room_id"]?.string)
      return Sample(
        target: "directory/room/\(escaped("#\(name):test"))", body: #"{"room_id":"\#(room)"}"#, caller: alice)
    },
    "deleteRoomAlias": { server in
      let (alice, name) = (try await server.register("alice"), server.unique("alias"))
      _ = try await server.room(of: alice, #"{"room_alias_name":"\#(name)"}"#)
      return Sample(target: "directory/room/\(escaped("#\(name):test"))", caller: alice)
    },
    "getRoomVisibilityOnDirectory": inRoom { room, _ in "directory/list/room/\(room)" },
    "setRoomVisibilityOnDirectory": inRoom(
      { room, _ in "directory/list/room/\(room)" }, body: #"{"visibility":"private"}"#),
    "getPublicRooms": { Sample(target: "publicRooms?limit=1", caller: try await $0.register()) },
    "queryPublicRooms": { Sample(target: "publicRooms", body: "{}", caller: try await $0.register()) },
  ]

  // MARK: Syncing

  /// Returns a request of a user about something of the own.
  static func ofUser(_ target: @escaping @Sendable (_ user: Text) -> Text, body: Text = "") -> Recipe {
    { server in
      let alice = try await server.register("alice")
      return Sample(target: target(escaped(alice.id)), body: body, caller: alice)
    }
  }

  private static let sync: [Text: Recipe] = [
    "sync": ofUser { _ in "sync" },
    "defineFilter": ofUser({ "user/\($0)/filter" }, body: #"{"room":{"timeline":{"limit":1}}}"#),
    "getFilter": { server in
      let alice = try await server.register("alice")
      let id = try #require(
        try await server.call("POST", "user/\(escaped(alice.id))/filter", "{}", as: alice).json["filter_id"]?.string)
      return Sample(target: "user/\(escaped(alice.id))/filter/\(id)", caller: alice)
    },
    "setPresence": ofUser({ "presence/\($0)/status" }, body: #"{"presence":"online"}"#),
    "getPresence": ofUser { "presence/\($0)/status" },
    "sendToDevice": ofUser({ _ in "sendToDevice/org.example/t" }, body: #"{"messages":{}}"#),
    "setAccountData": ofUser({ "user/\($0)/account_data/org.example" }, body: #"{"a":1}"#),
    "getAccountData": { server in
      let alice = try await server.register("alice")
      let target: Text = "user/\(escaped(alice.id))/account_data/org.example"
      _ = try await server.call("PUT", target, "{}", as: alice)
      return Sample(target: target, caller: alice)
    },
    "setAccountDataPerRoom": { try await ofRoom($0, "account_data/org.example", body: "{}") },
    "getAccountDataPerRoom": { server in
      let sample = try await ofRoom(server, "account_data/org.example")
      _ = try await server.call("PUT", sample.target, "{}", as: sample.caller)
      return sample
    },
    "getRoomTags": { try await ofRoom($0, "tags") },
    "setRoomTag": { try await ofRoom($0, "tags/u.tea", body: #"{"order":0.5}"#) },
    "deleteRoomTag": { try await ofRoom($0, "tags/u.tea") },
    "getPushRules": ofUser { _ in "pushrules/" },
    "setPushRule": ofUser({ _ in "pushrules/global/content/tea" }, body: #"{"pattern":"tea","actions":["notify"]}"#),
    "deletePushRule": { server in
      let alice = try await server.register("alice")
      let target: Text = "pushrules/global/content/tea"
      _ = try await server.call("PUT", target, #"{"pattern":"tea","actions":["notify"]}"#, as: alice)
      return Sample(target: target, caller: alice)
    },
  ]

  static func ofRoom(_ server: TestServer, _ target: Text, body: Text = "") async throws -> Sample {
    let alice = try await server.register("alice")
    let room = try await server.room(of: alice)
    return Sample(target: "user/\(escaped(alice.id))/rooms/\(room)/\(target)", body: body, caller: alice)
  }
}
