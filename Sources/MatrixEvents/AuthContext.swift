import MatrixPrimitives

/// The check of one event's membership and sending rules against a state.
struct AuthContext<State: AuthState> {
  let event: Event
  let create: Event
  let state: State
  let levels: PowerLevels

  init(event: Event, create: Event, state: State) {
    self.event = event
    self.create = create
    self.state = state
    levels = PowerLevels(create: create, powerLevels: state.event(.powerLevels))
  }

  private var version: RoomVersion { event.version }

  func membership(of user: UserID) -> Text? {
    state.event(.member(user))?.membership
  }

  /// Without a rule rooms are invite-only; a rule that is no string counts as unknown.
  private var joinRule: Text {
    guard let rule = state.event(.joinRules)?.content["join_rule"] else { return "invite" }
    return rule.string ?? ""
  }

  /// Checks the level for the event's type and that no user writes under another user's state key.
  func checkSendingLevel() throws(AuthError) {
    let level = levels.level(of: event.sender)
    let required = levels.required(forType: event.type, isState: event.isState)
    guard level >= required else {
      throw AuthError(
        "You don't have permission to send \(event.type) to this room: it takes power level \(required), yours is \(level)."
      )
    }
    if let stateKey = event.stateKey, stateKey.utf8.first == UInt8(ascii: "@"),
      stateKey != event.sender.rawValue
    {
      throw AuthError("You are not allowed to set the state of another user.")
    }
  }

  func checkMembership() throws(AuthError) {
    guard let stateKey = event.stateKey else { throw AuthError("A membership event must be state.") }
    guard let membership = event.membership else { throw AuthError("A membership event must say the membership.") }
    guard let target = UserID(stateKey) else { throw AuthError("A membership's state key must be a user id.") }
    if membership == "join", isCreatorsFirstJoin(target) { return }
    try AuthRules.checkFederation(of: target.serverName, create: create)
    switch membership {
    case "join": try checkJoin(target)
    case "invite": try checkInvite(target)
    case "leave": try checkLeave(target)
    case "ban": try checkBan(target)
    case "knock" where version.allowsKnocking: try checkKnock(target)
    default: throw AuthError("There is no membership '\(membership)' in this room version.")
    }
  }

  private func isCreatorsFirstJoin(_ target: UserID) -> Bool {
    guard event.prevEvents == [create.eventID] else { return false }
    let creator = version.isCreatorImplicit ? create.sender.rawValue : create.content["creator"]?.string
    return creator.map { $0 == target.rawValue } ?? false
  }

  private func checkJoin(_ target: UserID) throws(AuthError) {
    guard event.sender == target else { throw AuthError("You cannot join a room for another user.") }
    let current = membership(of: target)
    guard current != "ban" else { throw AuthError("You are banned from this room.") }
    let rule = joinRule
    if rule == "public" { return }
    let isMemberOrInvited = current == "join" || current == "invite"
    let isRestricted =
      (rule == "restricted" && version.allowsRestrictedJoins)
      || (rule == "knock_restricted" && version.allowsKnockRestrictedJoins)
    if isRestricted {
      if !isMemberOrInvited { try checkAuthorisingUser() }
      return
    }
    guard rule == "invite" || (rule == "knock" && version.allowsKnocking) else {
      throw AuthError("You are not allowed to join this room.")
    }
    guard isMemberOrInvited else { throw AuthError("You are not invited to this room.") }
  }

  private func checkAuthorisingUser() throws(AuthError) {
    guard let text = event.content["join_authorised_via_users_server"]?.string, let user = UserID(text) else {
      throw AuthError("Joining this room needs a server in it to authorise you, and none is named.")
    }
    guard membership(of: user) == "join" else {
      throw AuthError("\(user), who authorised the join, is not in the room.")
    }
    guard levels.level(of: user) >= levels.invite else {
      throw AuthError("\(user), who authorised the join, may not invite users.")
    }
  }

  private func checkInvite(_ target: UserID) throws(AuthError) {
    let current = membership(of: target)
    if let invite = event.content["third_party_invite"] {
      guard current != "ban" else { throw AuthError("\(target) is banned from the room.") }
      guard ThirdPartyInvite.isValid(invite, event: event, state: state) else {
        throw AuthError("The third-party invite does not invite \(target).")
      }
      return
    }
    try requireSenderJoined()
    guard current != "ban" else { throw AuthError("\(target) is banned from the room.") }
    guard current != "join" else { throw AuthError("\(target) is already in the room.") }
    guard levels.level(of: event.sender) >= levels.invite else {
      throw AuthError("You don't have permission to invite users to this room.")
    }
  }

  private func checkLeave(_ target: UserID) throws(AuthError) {
    let senderMembership = membership(of: event.sender)
    if event.sender == target {
      switch senderMembership {
      case "join", "invite": return
      case "knock" where version.allowsKnocking: return
      default: throw AuthError("\(event.sender) is not in room \(event.roomID).")
      }
    }
    try requireSenderJoined()
    let level = levels.level(of: event.sender)
    if membership(of: target) == "ban", level < levels.ban {
      throw AuthError("You don't have permission to unban \(target).")
    }
    guard level >= levels.kick, levels.level(of: target) < level else {
      throw AuthError("You don't have permission to remove \(target) from the room.")
    }
  }

  private func checkBan(_ target: UserID) throws(AuthError) {
    try requireSenderJoined()
    let level = levels.level(of: event.sender)
    guard level >= levels.ban else { throw AuthError("You don't have permission to ban users from this room.") }
    guard levels.level(of: target) < level else {
      throw AuthError("You don't have permission to ban \(target), whose power level is not below yours.")
    }
  }

  private func checkKnock(_ target: UserID) throws(AuthError) {
    let rule = joinRule
    guard rule == "knock" || (rule == "knock_restricted" && version.allowsKnockRestrictedJoins) else {
      throw AuthError("You don't have permission to knock on this room.")
    }
    guard event.sender == target else { throw AuthError("You cannot knock for another user.") }
    switch membership(of: event.sender) {
    case "ban": throw AuthError("You are banned from this room.")
    case "invite": throw AuthError("You are already invited to this room.")
    case "join": throw AuthError("You are already in this room.")
    default: return
    }
  }

  private func requireSenderJoined() throws(AuthError) {
    guard membership(of: event.sender) == "join" else {
      throw AuthError("\(event.sender) is not in room \(event.roomID).")
    }
  }
}
