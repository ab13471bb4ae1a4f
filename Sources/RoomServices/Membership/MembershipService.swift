import EventPersistence
import Logging
import MatrixEvents
import MatrixPrimitives
import ServerConfig
import Stores
import Synchronization

/// Joining, inviting, removing and banning.
public final class MembershipService: Sendable {
  let stores: RoomStores
  let accounts: AccountStore
  let state: StateService
  let submitter: EventSubmitter
  let config: HomeserverConfig
  let users: LocalUsers
  private let rateLimiter: RoomRateLimiter

  static let longestDisplayName = 256
  static let longestAvatarURL = 1000

  init(
    stores: RoomStores, accounts: AccountStore, state: StateService, submitter: EventSubmitter,
    config: HomeserverConfig,
    users: LocalUsers, rateLimiter: RoomRateLimiter
  ) {
    self.stores = stores
    self.accounts = accounts
    self.state = state
    self.submitter = submitter
    self.config = config
    self.users = users
    self.rateLimiter = rateLimiter
  }

  /// Lists the rooms in which a user is joined.
  public func joinedRooms(of user: UserID) async throws -> [RoomID] {
    try await stores.barrier.pass(membershipsOf: user)
    return try await stores.memberships.rooms(for: user, memberships: [.join]).map(\.roomID)
  }

  /// Changes a membership.
  ///
  /// What is so already answers with the event that made it so.
  ///
  /// - Returns: the id of the membership event.
  /// - Throws: `MatrixError`: 403 for what the rules of the room forbid, 404 for rooms that this server is not in, 429.
  @discardableResult
  public func change(_ change: MembershipRequest, requester: Requester) async throws -> EventID {
    if change.ratelimit { try await checkRates(change, requester) }
    if change.action == .invite, requester.isShadowBanned { return try await EventSubmitter.pretend() }
    if requester.isShadowBanned, change.action == .join,
      let member = try await stores.memberships.membership(of: change.target, in: change.roomID),
      member.membership == .join
    {
      // Joining again would show the room a new profile.
      return member.eventID
    }
    let draft = try await draft(change, requester)
    if change.action != .leave, change.action != .kick, change.action != .unban, change.action != .ban,
      try await stores.rooms.isBlocked(change.roomID)
    {
      throw MatrixError.forbidden("This room has been blocked on this server")
    }
    try await checkReach(change)
    if let signed = change.thirdPartySigned { try await exchangeThirdPartyInvite(signed, change) }
    let rules = MembershipRules(memberships: stores.memberships, state: state, serverName: config.serverName)
    let rateLimiter = rateLimiter
    // The event may have to be built again; the request counts once.
    let isCounted = Atomic<Bool>(!change.ratelimit)
    let eventID = try await submitter.submit(draft, requester: requester, extraUsers: [change.target]) { draft, chain in
      let prepared = try await rules.prepare(draft, change: change, requester: requester, chain: chain)
      if case .send = prepared, !isCounted.load(ordering: .relaxed) {
        try await rateLimiter.check(.message, requester)
        isCounted.store(true, ordering: .relaxed)
      }
      return prepared
    }
    if config.rooms.forgetsOnLeave, change.target.serverName == config.serverName,
      draft.content["membership"] == "leave" || draft.content["membership"] == "ban"
    {
      try await stores.memberships.forget(change.target, change.roomID)
    }
    return eventID
  }

  /// Builds the event of a change in a room that is not stored yet, with all checks but those of rates.
  ///
  /// - Returns: nil when the room's state says so already.
  /// - Throws: `MatrixError` as ``change(_:requester:)``.
  func build(
    _ change: MembershipRequest, requester: Requester, on chain: inout EventChain
  ) async throws -> CreatedEvent? {
    let rules = MembershipRules(memberships: stores.memberships, state: state, serverName: config.serverName)
    let draft = try await draft(change, requester)
    guard
      case .send(let prepared) = try await rules.prepare(draft, change: change, requester: requester, chain: chain),
      case .created(let event) = try await submitter.creator.create(prepared, requester: requester, on: &chain)
    else { return nil }
    return event
  }

  /// Makes the draft of a change after looking at those concerned, but not at the room.
  private func draft(_ change: MembershipRequest, _ requester: Requester) async throws -> ClientEventDraft {
    try await checkAccounts(change, requester)
    var content = try await self.content(change, requester)
    if change.action == .invite { try await checkInvite(change, requester) }
    content["membership"] = .string(change.action.membership)
    if requester.isGuest { content["kind"] = "guest" }
    var draft = ClientEventDraft(
      roomID: change.roomID, type: "m.room.member", stateKey: change.target.rawValue, content: .object(content),
      transactionID: change.transactionID, originServerTS: change.originServerTS,
      path: .membership(change.action.rawValue, isOwn: change.target == requester.userID))
    draft.delayID = change.delayID
    return draft
  }

  // MARK: Before the room is looked at

  private func checkRates(_ change: MembershipRequest, _ requester: Requester) async throws {
    switch change.action {
    case .join:
      if try await stores.memberships.isJoined(requester.userID, in: change.roomID) { return }
      try await rateLimiter.check(.localJoin, requester)
      try await rateLimiter.check(.joinOfRoom(change.roomID), requester, counts: false)
    case .invite:
      try await rateLimiter.check(.inviteToRoom(change.roomID), requester)
      try await rateLimiter.check(.inviteOfUser(change.target), requester)
      try await rateLimiter.check(.inviteByIssuer, requester)
    default: return
    }
  }

  private func checkAccounts(_ change: MembershipRequest, _ requester: Requester) async throws {
    // A server that acts through its user is not bound by what binds the user.
    guard requester.authenticatedEntity != config.serverName else { return }
    let verb: Text
    switch change.action {
    case .join: verb = "Joining rooms"
    case .invite: verb = "Sending invites"
    case .knock: verb = "Knocking on rooms"
    case .ban, .kick, .unban: verb = "Changing membership"
    case .leave: return
    }
    if try await users.isSuspended(requester.userID) {
      throw MatrixError(.userSuspended, "\(verb) while account is suspended is not allowed.")
    }
  }

  /// Makes the content of the event, with the profile of the user whose membership it is.
  private func content(_ change: MembershipRequest, _ requester: Requester) async throws -> [Text: JSON] {
    var content = change.content
    if !config.rooms.allowsPerRoomProfiles || requester.isShadowBanned {
      content["displayname"] = nil
      content["avatar_url"] = nil
    }
    // Only the server that lets somebody into a restricted room says who vouches for them.
    content["join_authorised_via_users_server"] = nil
    try Self.checkText(content["displayname"], "Displayname", Self.longestDisplayName)
    try Self.checkText(content["avatar_url"], "Avatar URL", Self.longestAvatarURL)
    if let reason = content["reason"], reason.string == nil { throw MatrixError.badJSON("reason must be a string") }
    let wantsProfile =
      change.action == .join || change.action == .knock
      || (change.action == .invite && config.profiles.includedOnInvite)
    guard wantsProfile, change.target.serverName == config.serverName,
      content["displayname"] == nil || content["avatar_url"] == nil
    else { return content }
    let profile = try await users.profile(change.target)
    if content["displayname"] == nil, let name = profile.displayName { content["displayname"] = .string(name) }
    if content["avatar_url"] == nil, let url = profile.avatarURL { content["avatar_url"] = .string(url) }
    return content
  }

  private static func checkText(_ value: JSON?, _ name: Text, _ longest: Int) throws(MatrixError) {
    guard let value, value != .null else { return }
    guard let text = value.string else { throw MatrixError.badJSON("\(name) must be a string") }
    if text.unicodeScalars.count > longest { throw MatrixError.badJSON("\(name) is too long (max \(longest))") }
  }

  private func checkInvite(_ change: MembershipRequest, _ requester: Requester) async throws {
    if change.target.serverName != config.serverName {
      throw MatrixError.forbidden("Users of other servers cannot be invited: federation is not available")
    }
    if try await users.isAdmin(requester.userID) { return }
    if config.rooms.blocksNonAdminInvites {
      throw MatrixError.forbidden("Invites have been disabled on this server")
    }
    if try await users.blocksInvites(change.target, from: requester.userID) {
      throw MatrixError(.inviteBlocked, "You are not permitted to invite this user.")
    }
  }

  /// Requires the room to be known here: other servers cannot be asked.
  private func checkReach(_ change: MembershipRequest) async throws {
    if try await stores.rooms.version(of: change.roomID) != nil,
      try await !stores.rooms.forwardExtremities(change.roomID).isEmpty
    {
      return
    }
    switch change.action {
    case .join, .knock:
      throw MatrixError.unknown(
        "Can't join remote room because no servers that are in the room have been provided.", status: 404)
    case .leave: throw MatrixError.unknown("Not a known room", status: 404)
    default:
      throw MatrixError.forbidden("User \(change.target.rawValue) not in room \(change.roomID.rawValue)")
    }
  }

  // MARK: Further operations

  /// Forgets a room that the user is not in: it disappears from the user's lists.
  ///
  /// - Throws: `MatrixError` 400 while the user is joined to or invited into the room.
  public func forget(_ room: RoomID, user: UserID) async throws {
    try await stores.barrier.pass(room: room)
    guard let member = try await stores.memberships.membership(of: user, in: room) else { return }
    guard member.membership == .leave || member.membership == .ban else {
      throw MatrixError.unknown("User \(user.rawValue) in room \(room.rawValue)", status: 400)
    }
    try await stores.memberships.forget(user, room)
  }

  /// Brings a user's new profile into all the rooms that the user has joined; rooms that refuse it keep the old one.
  public func propagateProfile(of requester: Requester) async throws {
    try await stores.barrier.pass(membershipsOf: requester.userID)
    let rooms = try await stores.memberships.rooms(for: requester.userID, memberships: [.join])
    for room in rooms {
      do {
        try await change(
          MembershipRequest(roomID: room.roomID, target: requester.userID, action: .join, ratelimit: false),
          requester: requester)
      } catch let error as MatrixError where error.status < 500 {
        continue
      }
    }
  }

  /// Turns an identity server's statement into an invite, as the one who invited the address would send it.
  private func exchangeThirdPartyInvite(_ signed: JSON, _ change: MembershipRequest) async throws {
    guard let inviterText = signed["sender"]?.string, let inviter = UserID(inviterText),
      let token = signed["token"]?.string, signed["mxid"]?.string == change.target.rawValue,
      signed["signatures"]?.members != nil
    else { throw MatrixError.badJSON("third_party_signed is not complete") }
    guard inviter.serverName == config.serverName else {
      throw MatrixError.forbidden("The inviting user belongs to another server")
    }
    let key = StateKey("m.room.third_party_invite", token)
    guard let invite = try await stores.currentStateEvent(change.roomID, key) else {
      throw MatrixError.forbidden("Could not find a third-party invite for this token")
    }
    var thirdParty: [Text: JSON] = [
      "signed": [
        "mxid": .string(change.target.rawValue), "token": .string(token), "signatures": signed["signatures"] ?? [:],
      ]
    ]
    if let name = invite.content["display_name"]?.json { thirdParty["display_name"] = name }
    let draft = ClientEventDraft(
      roomID: change.roomID, type: "m.room.member", stateKey: change.target.rawValue,
      content: ["membership": "invite", "third_party_invite": .object(thirdParty)])
    _ = try await submitter.submit(draft, requester: Requester(userID: inviter), extraUsers: [change.target]) {
      draft, _ in
      .send(draft)
    }
  }
}
