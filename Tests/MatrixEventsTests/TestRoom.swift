import Crypto
import MatrixEvents
import MatrixPrimitives

/// A room for tests with real, signed events.
struct TestRoom {
  static let alice = UserID(unchecked: "@alice:a.example")
  static let bob = UserID(unchecked: "@bob:b.example")
  static let carol = UserID(unchecked: "@carol:c.example")
  static let dave = UserID(unchecked: "@dave:a.example")

  let version: RoomVersion
  private(set) var roomID: RoomID
  private(set) var events: [EventID: Event] = [:]
  var state: StateMap = [:]
  var time: Int64 = 1000
  var depth: Int64 = 1

  /// The signing key of the specification's test vectors.
  static let signer: EventSigner = {
    let seed = UnpaddedBase64.decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1") ?? []
    let key = (try? Curve25519.Signing.PrivateKey(rawRepresentation: seed)) ?? Curve25519.Signing.PrivateKey()
    return EventSigner(serverName: "domain", keyID: "ed25519:1", privateKey: key)
  }()

  /// Starts a room whose creator is joined; `content` goes into the create event. The name counts where rooms are not named by hash.
  init(_ version: RoomVersion, content: JSON = [:], named name: Text = "!room:a.example") throws {
    self.version = version
    roomID = RoomID(unchecked: name)
    var create = content
    create["room_version"] = .string(version.identifier)
    if !version.isCreatorImplicit { create["creator"] = .string(Self.alice.rawValue) }
    let first = try add(EventType.create, "", Self.alice, create)
    roomID = first.roomID
    try add(EventType.member, Self.alice.rawValue, Self.alice, ["membership": "join"], prevEvents: [first.eventID])
  }

  /// Builds an event upon a state without checking whether it is allowed.
  mutating func make(
    _ type: Text, _ stateKey: Text?, _ sender: UserID, _ content: JSON, over state: StateMap? = nil,
    prevEvents: [EventID]? = nil, redacts: EventID? = nil
  ) throws -> Event {
    let state = state ?? self.state
    time += 1
    var draft = EventDraft(
      type: type, stateKey: stateKey, sender: sender, roomID: roomID, content: content,
      prevEvents: prevEvents ?? (type == EventType.create ? [] : [EventID(unchecked: "$previous:a.example")]),
      depth: depth, originServerTS: time, redacts: redacts)
    if type == EventType.create, version.isRoomIDCreateHash { draft.roomID = nil }
    draft.authEvents = AuthRules.authEventKeys(for: draft, version: version).compactMap { state[$0] }
    let event = try draft.seal(version: version, signer: Self.signer, serverName: sender.serverName)
    events[event.eventID] = event
    return event
  }

  /// Builds an event and puts it into the state without checking whether it is allowed.
  @discardableResult
  mutating func add(
    _ type: Text, _ stateKey: Text?, _ sender: UserID, _ content: JSON, prevEvents: [EventID]? = nil
  ) throws -> Event {
    let event = try make(type, stateKey, sender, content, prevEvents: prevEvents)
    if let key = event.key { state[key] = event.eventID }
    return event
  }

  /// Puts a membership into the state.
  @discardableResult
  mutating func setMembership(_ user: UserID, _ membership: Text, by sender: UserID? = nil) throws -> Event {
    try add(EventType.member, user.rawValue, sender ?? user, ["membership": .string(membership)])
  }

  /// Returns a state as auth rules read it.
  func authState(_ state: StateMap? = nil) -> AuthEvents {
    AuthEvents((state ?? self.state).values.compactMap { events[$0] })
  }

  /// Builds an event and tells why it is not allowed; nil if it is.
  mutating func refusal(
    _ type: Text, _ stateKey: Text?, _ sender: UserID, _ content: JSON, prevEvents: [EventID]? = nil
  ) throws -> Text? {
    let event = try make(type, stateKey, sender, content, prevEvents: prevEvents)
    do {
      try AuthRules.check(event, state: authState())
      return nil
    } catch {
      return error.message
    }
  }

  /// Builds a membership event and tells why it is not allowed; nil if it is.
  mutating func refusal(
    of user: UserID, _ membership: Text, by sender: UserID? = nil, adding extra: [Text: JSON] = [:]
  ) throws -> Text? {
    try refusal(
      EventType.member, user.rawValue, sender ?? user,
      .object(extra.merging(["membership": .string(membership)]) { first, _ in first }))
  }
}
