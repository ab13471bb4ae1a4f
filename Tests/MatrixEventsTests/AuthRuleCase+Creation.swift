import MatrixEvents
import MatrixPrimitives

/// A create event that may be made, and what of it is to be changed.
private struct CreateSetting {
  var content: JSON = ["creator": .string(TestRoom.alice.rawValue)]
  var prevEvents: [EventID] = []
  var room = RoomID(unchecked: "!r:a.example")
  var namesRoom: Bool

  init(_ version: RoomVersion) { namesRoom = !version.isRoomIDCreateHash }

  func refusal(_ version: RoomVersion) throws -> Text? {
    var draft = EventDraft(
      type: EventType.create, stateKey: "", sender: TestRoom.alice, roomID: room, content: content,
      prevEvents: prevEvents, originServerTS: 1)
    if !namesRoom { draft.roomID = nil }
    let event = try draft.seal(version: version, signer: TestRoom.signer, serverName: "a.example")
    return TestRoom.refusal(event, citing: [])
  }
}

extension TestRoom {
  /// Returns why an event is not allowed by what it cites; nil if it is.
  fileprivate static func refusal(_ event: Event, citing events: [Event], rejected: EventID? = nil) -> Text? {
    do {
      try AuthRules.checkStateIndependent(event, authEvents: events) { $0 == rejected }
      return nil
    } catch {
      return error.message
    }
  }

  /// Builds a message and gives it together with the events that it cites, the create event among them.
  fileprivate mutating func cited(by sender: UserID) throws -> (event: Event, cited: [Event]) {
    let event = try make(EventType.message, nil, sender, [:])
    return (event, event.authEventsWithCreate.compactMap { events[$0] })
  }
}

extension AuthRuleCase {
  private static func create(
    _ numbers: [Int: Text], _ what: Text, _ isAllowed: Bool,
    _ change: @escaping @Sendable (inout CreateSetting) -> Void
  ) -> AuthRuleCase {
    AuthRuleCase(numbers, what, isAllowed) { room in
      var setting = CreateSetting(room.version)
      change(&setting)
      return try setting.refusal(room.version)
    }
  }

  private static let createAllowed = only(1...10, "1.5").merging(only(11...11, "1.4")) { $1 }
    .merging(only(12...12, "1.5")) { $1 }

  /// Rules on what an event cites; version 12 put one before, and took the one on the create event away.
  private static func authEvents(_ number: Int) -> [Int: Text] {
    only(1...11, "2.\(number)").merging(only(12...12, "3.\(number == 5 ? 4 : number)")) { $1 }
  }

  static let creation: [AuthRuleCase] = [
    create(only(1...12, "1.1"), "a create event is not the first", false) {
      $0.prevEvents = [EventID(unchecked: "$before:a.example")]
    },
    create(only(1...11, "1.2"), "the room's id is another server's", false) {
      $0.room = RoomID(unchecked: "!r:b.example")
    },
    AuthRuleCase(only(12...12, "1.2"), "the create event names the room", false) { room in
      let create = try CreateSetting(room.version).document(room.version, naming: "!r:a.example")
      do {
        return TestRoom.refusal(try Event.parse(create, version: room.version), citing: [])
      } catch let error as EventError {
        return error.message
      }
    },
    create(only(1...12, "1.3"), "nobody knows the room version", false) { $0.content["room_version"] = "99" },
    create(only(1...12, "1.3"), "the room version is a number", false) { $0.content["room_version"] = 1 },
    create(only(1...10, "1.4"), "no creator is named", false) { $0.content = [:] },
    create(only(11...11, "1.4"), "no creator needs to be named", true) { $0.content = [:] },
    create(only(12...12, "1.4"), "additional creators are no array", false) {
      $0.content["additional_creators"] = .string(bob.rawValue)
    },
    create(only(12...12, "1.4"), "an additional creator is a number", false) {
      $0.content["additional_creators"] = [.string(bob.rawValue), 1]
    },
    create(only(12...12, "1.4"), "an additional creator is no user", false) {
      $0.content["additional_creators"] = ["bob"]
    },
    create(only(12...12, "1.5"), "users are additional creators", true) {
      $0.content["additional_creators"] = [.string(bob.rawValue), .string(carol.rawValue)]
    },
    create(createAllowed, "a room begins", true) { _ in },
    create(only(1...10, "1.5").merging(only(11...11, "1.4")) { $1 }, "additional creators mean nothing yet", true) {
      $0.content["additional_creators"] = 5
    },
    AuthRuleCase(only(12...12, "2"), "the create event that the room is named after was rejected", false) { room in
      let (event, cited) = try room.cited(by: alice)
      return TestRoom.refusal(event, citing: cited, rejected: room.state[.create])
    },
    AuthRuleCase(only(12...12, "2"), "the create event that the room is named after is not known", false) { room in
      let (event, cited) = try room.cited(by: alice)
      return TestRoom.refusal(event, citing: cited.filter { !$0.isCreate })
    },
    AuthRuleCase(authEvents(1), "a slot is cited twice", false) { room in
      let (event, cited) = try room.cited(by: alice)
      return TestRoom.refusal(event, citing: cited + cited.filter { $0.type == EventType.member })
    },
    AuthRuleCase(authEvents(2), "what has nothing to do with the event is cited", false) { room in
      let rules = try room.add(EventType.joinRules, "", alice, ["join_rule": "public"])
      let (event, cited) = try room.cited(by: alice)
      return TestRoom.refusal(event, citing: cited + [rules])
    },
    AuthRuleCase(authEvents(3), "what was rejected is cited", false) { room in
      let (event, cited) = try room.cited(by: alice)
      return TestRoom.refusal(event, citing: cited, rejected: room.state[.member(alice)])
    },
    AuthRuleCase(only(1...11, "2.4"), "the create event is not cited", false) { room in
      let state = room.state
      room.state[.create] = nil
      let event = try room.make(EventType.message, nil, alice, [:])
      room.state = state
      return TestRoom.refusal(event, citing: event.authEvents.compactMap { room.events[$0] })
    },
    AuthRuleCase(authEvents(5), "an event of another room is cited", false) { room in
      let (event, _) = try room.cited(by: alice)
      var other = try TestRoom(room.version, content: ["other": true], named: "!other:a.example")
      return TestRoom.refusal(event, citing: try other.cited(by: alice).cited)
    },
    AuthRuleCase(only(1...11, "3").merging(only(12...12, "4")) { $1 }, "the room is closed to other servers", false) {
      room in
      room = try TestRoom(room.version, content: ["m.federate": false])
      try rule(&room, "public")
      return try room.refusal(of: bob, "join")
    },
  ]
}

extension CreateSetting {
  /// Returns the event with a room id in it, which drafts of version 12 leave out.
  func document(_ version: RoomVersion, naming room: Text) throws -> JSONValue {
    let draft = EventDraft(
      type: EventType.create, stateKey: "", sender: TestRoom.alice, roomID: nil, content: content, originServerTS: 1)
    var json = try draft.seal(version: version, signer: TestRoom.signer, serverName: "a.example").json.json
    json["room_id"] = .string(room)
    return try json.document()
  }
}
