import MatrixPrimitives

extension AuthRules {
  /// Selects the slots whose events a new event must cite in `auth_events`.
  ///
  /// Source: the server-server API's "Auth events selection". The create event is left out from room version 12 on.
  public static func authEventKeys(for draft: EventDraft, version: RoomVersion) -> [StateKey] {
    authEventKeys(
      type: draft.type, stateKey: draft.stateKey, sender: draft.sender, content: draft.content, version: version)
  }

  /// Selects the slots an event with these parts must cite; see the form for drafts.
  public static func authEventKeys(
    type: Text, stateKey: Text?, sender: UserID, content: JSON, version: RoomVersion
  ) -> [StateKey] {
    AuthSelection(
      type: type, stateKey: stateKey, sender: sender, membership: content["membership"]?.string,
      thirdPartyToken: content["third_party_invite"]?["signed"]?["token"]?.string,
      authorisingUser: content["join_authorised_via_users_server"]?.string, version: version
    ).keys(withCreate: !version.isRoomIDCreateHash)
  }

  /// Selects the slots an event may cite.
  public static func authEventKeys(for event: Event) -> [StateKey] {
    AuthSelection(event).keys(withCreate: !event.version.isRoomIDCreateHash)
  }

  /// Selects the slots that checking an event looks at: those it may cite and the create event.
  public static func stateKeysToCheck(_ event: Event) -> [StateKey] {
    AuthSelection(event).keys(withCreate: true)
  }

  /// Checks what does not depend on the room's state: a create event's own rules, or the choice of auth events.
  /// - Parameters:
  ///   - event: the event to check.
  ///   - authEvents: the events it cites; from room version 12 on with the implied create event besides.
  ///   - isRejected: whether one of them was rejected.
  /// - Throws: `AuthError` with the reason.
  public static func checkStateIndependent(
    _ event: Event, authEvents: [Event], isRejected: (EventID) -> Bool = { _ in false }
  ) throws(AuthError) {
    if event.type == EventType.create {
      try checkCreate(event)
      return
    }
    let allowed = Set(stateKeysToCheck(event))
    let create = event.impliedCreateEventID
    if let create, event.authEvents.contains(create) {
      throw AuthError("An event of room version \(event.version) must not cite the create event.")
    }
    var seen: Set<StateKey> = []
    for cited in authEvents {
      guard cited.roomID == event.roomID else {
        throw AuthError("Auth event \(cited.eventID) belongs to another room.")
      }
      guard let key = cited.key, allowed.contains(key) else {
        throw AuthError("Auth event \(cited.eventID) has nothing to do with this event.")
      }
      guard seen.insert(key).inserted else { throw AuthError("The auth events name \(key) twice.") }
      guard !isRejected(cited.eventID) else { throw AuthError("Auth event \(cited.eventID) was rejected.") }
    }
    let cited = Set(authEvents.map(\.eventID))
    guard event.authEventsWithCreate.allSatisfy({ cited.contains($0) }) else {
      throw AuthError("Not all auth events of the event are known.")
    }
    guard seen.contains(.create) else { throw AuthError("The create event is not among the auth events.") }
  }

  private static func checkCreate(_ event: Event) throws(AuthError) {
    guard event.prevEvents.isEmpty else { throw AuthError("A create event must not have previous events.") }
    let version = event.version
    if version.isRoomIDCreateHash {
      guard event.json["room_id"] == nil else { throw AuthError("The create event must not have a room id.") }
    } else {
      guard let server = event.roomID.serverName, server == event.sender.serverName else {
        throw AuthError("The room id's server must be the creator's.")
      }
    }
    if let named = event.content["room_version"] {
      guard let text = named.string, RoomVersion.named(text) != nil else {
        throw AuthError("The room has a version that this server does not know.")
      }
    }
    if !version.isCreatorImplicit, event.content["creator"] == nil {
      throw AuthError("The create event must name the creator.")
    }
    if version.hasCreatorPower, let creators = event.content["additional_creators"] {
      guard let elements = creators.elements,
        elements.allSatisfy({ $0.string.flatMap { UserID($0) }?.hasValidServerName ?? false })
      else { throw AuthError("'additional_creators' must be an array of user ids.") }
    }
  }
}

/// What the selection of auth events looks at.
private struct AuthSelection {
  let type: Text
  let stateKey: Text?
  let sender: UserID
  let membership: Text?
  let thirdPartyToken: Text?
  let authorisingUser: Text?
  let version: RoomVersion

  func keys(withCreate: Bool) -> [StateKey] {
    if type == EventType.create { return [] }
    var keys: [StateKey] = withCreate ? [.create] : []
    keys.append(.powerLevels)
    keys.append(.member(sender))
    guard type == EventType.member else { return keys }
    if let stateKey { append(StateKey(EventType.member, stateKey), to: &keys) }
    switch membership {
    case "join", "invite", "knock": keys.append(.joinRules)
    default: break
    }
    if membership == "invite", let thirdPartyToken {
      append(StateKey(EventType.thirdPartyInvite, thirdPartyToken), to: &keys)
    }
    if membership == "join", version.allowsRestrictedJoins, let authorisingUser {
      append(StateKey(EventType.member, authorisingUser), to: &keys)
    }
    return keys
  }

  private func append(_ key: StateKey, to keys: inout [StateKey]) {
    if !keys.contains(key) { keys.append(key) }
  }
}

extension AuthSelection {
  init(_ event: Event) {
    let content = event.content
    let isMember = event.type == EventType.member
    self.init(
      type: event.type, stateKey: event.stateKey, sender: event.sender, membership: event.membership,
      thirdPartyToken: isMember ? content["third_party_invite"]?["signed"]?["token"]?.string : nil,
      authorisingUser: isMember ? content["join_authorised_via_users_server"]?.string : nil, version: event.version)
  }
}
