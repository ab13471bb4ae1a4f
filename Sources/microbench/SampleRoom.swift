import MatrixEvents
import MatrixPrimitives

/// The events of a large room, built quickly: real shapes and auth events, but ids by number and neither hash nor
/// signature.
struct SampleRoom {
  let version: RoomVersion
  let creator = UserID(unchecked: "@creator:a.example")
  let roomID: RoomID
  private(set) var events: [EventID: Event] = [:]
  var state: StateMap = [:]
  private var time: Int64 = 1_700_000_000_000

  /// Makes a public room in which users 0 to `members` − 1 are joined; every hundredth has power 50.
  init(_ version: RoomVersion, members: Int) throws {
    self.version = version
    roomID = RoomID(unchecked: version.isRoomIDCreateHash ? "!create" : "!sample:a.example")
    var create: JSON = ["room_version": .string(version.identifier)]
    if !version.isCreatorImplicit { create["creator"] = .string(creator.rawValue) }
    try add(EventType.create, "", creator, create)
    try add(EventType.member, creator.rawValue, creator, ["membership": "join"])
    var users: [Text: JSON] = version.hasCreatorPower ? [:] : [creator.rawValue: 100]
    for index in stride(from: 0, to: min(members, 10_000), by: 100) { users[Self.user(index).rawValue] = 50 }
    try add(EventType.powerLevels, "", creator, ["users": .object(users), "state_default": 0])
    try add(EventType.joinRules, "", creator, ["join_rule": "public"])
    for index in 0..<members { try setMembership(index, "join") }
  }

  static func user(_ index: Int) -> UserID { UserID(unchecked: "@user\(index):server\(index % 50).example") }

  /// Makes an event over a state and puts it there.
  @discardableResult
  mutating func add(
    _ type: Text, _ stateKey: Text, _ sender: UserID, _ content: JSON, to branch: inout StateMap
  ) throws -> Event {
    let event = try make(type, stateKey, sender, content, over: branch)
    branch[StateKey(type, stateKey)] = event.eventID
    return event
  }

  @discardableResult
  mutating func add(_ type: Text, _ stateKey: Text, _ sender: UserID, _ content: JSON) throws -> Event {
    let event = try make(type, stateKey, sender, content, over: state)
    state[StateKey(type, stateKey)] = event.eventID
    return event
  }

  mutating func setMembership(_ index: Int, _ membership: Text) throws {
    let user = Self.user(index)
    try add(
      EventType.member, user.rawValue, user,
      ["membership": .string(membership), "displayname": .string("User \(index)")])
  }

  /// Makes an event over a state.
  mutating func make(
    _ type: Text, _ stateKey: Text?, _ sender: UserID, _ content: JSON, over state: StateMap
  ) throws -> Event {
    time += 1
    let isCreate = type == EventType.create
    let id = EventID(unchecked: isCreate ? "$create" : "$event\(events.count)")
    let keys = AuthRules.authEventKeys(
      type: type, stateKey: stateKey, sender: sender, content: content, version: version)
    func references(_ ids: [EventID]) -> JSON {
      .array(
        ids.map { version.eventIDFormat == .chosen ? [.string($0.rawValue), [:]] : .string($0.rawValue) })
    }
    var json: JSON = [
      "auth_events": references(keys.compactMap { state[$0] }), "content": content,
      "depth": .integer(Int64(events.count)), "hashes": ["sha256": "x"], "origin_server_ts": .integer(time),
      "prev_events": references(isCreate ? [] : [EventID(unchecked: "$previous")]),
      "sender": .string(sender.rawValue), "signatures": [:], "type": .string(type),
    ]
    if let stateKey { json["state_key"] = .string(stateKey) }
    if !isCreate || !version.isRoomIDCreateHash { json["room_id"] = .string(roomID.rawValue) }
    let event = try Event.parse(try json.document(), version: version, eventID: id)
    events[id] = event
    return event
  }

  /// Returns a state as auth rules read it.
  func authState(_ keys: [StateKey]) -> AuthEvents {
    AuthEvents(keys.compactMap { state[$0].flatMap { events[$0] } })
  }
}
