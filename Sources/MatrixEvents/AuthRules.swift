import MatrixPrimitives

/// The authorisation rules of all room versions.
///
/// The rules come in two parts, as servers need them at different times: those on the event and its `auth_events` alone, and those on a
/// state (the auth events', the room's before the event, the room's now). Signatures and hashes are checked elsewhere.
public enum AuthRules {
  /// Checks an event against a state. A create event is always allowed here.
  /// - Parameters:
  ///   - event: the event to check.
  ///   - state: the state to check it against, of which the slots of `authEventKeys` and the create event are looked at.
  /// - Throws: `AuthError` with the reason.
  public static func check(_ event: Event, state: some AuthState) throws(AuthError) {
    if event.type == EventType.create { return }
    guard let create = state.event(.create) else { throw AuthError("The room has no create event.") }
    guard create.roomID == event.roomID else { throw AuthError("The create event belongs to another room.") }
    try checkFederation(of: event.sender.serverName, create: create)
    if event.type == EventType.aliases, event.version.hasAliasesRules {
      try checkAliases(event)
      return
    }
    let context = AuthContext(event: event, create: create, state: state)
    if event.type == EventType.member {
      try context.checkMembership()
      return
    }
    guard context.membership(of: event.sender) == "join" else {
      throw AuthError("\(event.sender) is not in room \(event.roomID).")
    }
    if event.type == EventType.thirdPartyInvite {
      guard context.levels.level(of: event.sender) >= context.levels.invite else {
        throw AuthError("You don't have permission to invite users to this room.")
      }
      return
    }
    try context.checkSendingLevel()
    if event.type == EventType.powerLevels {
      try PowerLevelChange(event: event, create: create, state: state, levels: context.levels).check()
    }
    if event.type == EventType.redaction, event.version.eventIDFormat == .chosen {
      _ = try redactionPermission(of: event, state: state)
    }
  }

  static func checkFederation(of server: Text, create: Event) throws(AuthError) {
    guard let federate = create.content["m.federate"], federate.bool != true else { return }
    guard server == create.sender.serverName else {
      throw AuthError("This room is not federated: users of \(server) cannot take part.")
    }
  }

  private static func checkAliases(_ event: Event) throws(AuthError) {
    guard let stateKey = event.stateKey, !stateKey.isEmpty else {
      throw AuthError("An aliases event must be state with a server name as state key.")
    }
    guard stateKey == event.sender.serverName else {
      throw AuthError("You can only change the aliases of your own server.")
    }
  }

  /// The reach of a redaction.
  public enum RedactionPermission: Sendable {
    /// The sender may redact every event of the room.
    case any
    /// The sender may redact events of their own server only, which is to be checked once the target is known.
    case sameServer
  }

  /// Decides how far a redaction may reach.
  /// - Throws: `AuthError` in room versions 1 and 2 if the ids already show that it may not.
  public static func redactionPermission(
    of event: Event, state: some AuthState
  ) throws(AuthError) -> RedactionPermission {
    let levels = PowerLevels(state)
    if levels.level(of: event.sender) >= levels.redact { return .any }
    guard event.version.eventIDFormat == .chosen else { return .sameServer }
    guard let target = event.redacts?.serverName else { return .any }
    guard event.eventID.serverName == target else {
      throw AuthError("You don't have permission to redact events of other users.")
    }
    return .sameServer
  }

  /// Lists the servers that must have signed an event: the sender's, in versions 1 and 2 the event id's, and the one that authorised
  /// a restricted join. An invite made from a third-party invite needs none of its sender's server.
  public static func requiredSigners(of event: Event) -> [Text] {
    var servers: [Text] = []
    let isThirdPartyInvite = event.membership == "invite" && event.content["third_party_invite"] != nil
    if !isThirdPartyInvite { servers.append(event.sender.serverName) }
    if event.version.eventIDFormat == .chosen, let server = event.eventID.serverName, !servers.contains(server) {
      servers.append(server)
    }
    if event.version.allowsRestrictedJoins, event.membership == "join",
      let user = event.content["join_authorised_via_users_server"]?.string.flatMap({ UserID($0) }),
      !servers.contains(user.serverName)
    {
      servers.append(user.serverName)
    }
    return servers
  }
}
