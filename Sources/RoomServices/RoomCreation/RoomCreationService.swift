import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import Stores

/// Creates rooms.
public final class RoomCreationService: Sendable {
  private let storage: Storage
  private let config: HomeserverConfig
  private let creator: EventCreator
  private let delivery: EventDelivery
  private let memberships: MembershipService
  private let rateLimiter: RoomRateLimiter
  private let clock: ServerClock

  init(
    storage: Storage, config: HomeserverConfig, creator: EventCreator, delivery: EventDelivery,
    memberships: MembershipService, rateLimiter: RoomRateLimiter, clock: ServerClock
  ) {
    self.storage = storage
    self.config = config
    self.creator = creator
    self.delivery = delivery
    self.memberships = memberships
    self.rateLimiter = rateLimiter
    self.clock = clock
  }

  /// Creates a room; its first events are one chain in one transaction, invites follow.
  ///
  /// - Parameter ratelimit: whether `rc_room_creation` applies.
  /// - Throws: `MatrixError`: 400 for what may not be asked, `M_ROOM_IN_USE` when the alias is taken, 403, 429.
  public func create(
    _ request: RoomCreationRequest, requester: Requester, ratelimit: Bool = true
  ) async throws -> RoomID {
    if ratelimit { try await rateLimiter.check(.roomCreation, requester) }
    if try await memberships.users.isSuspended(requester.userID) {
      throw MatrixError.custom(
        status: 403, errcode: "M_USER_SUSPENDED",
        message: "Sending messages while account is suspended is not allowed.", extras: [:])
    }
    let alias = try await alias(request)
    let invited = requester.isShadowBanned ? [] : request.invited
    try await checkInvites(request, invited, requester)
    let events = InitialEvents(
      request: request, creator: requester.userID, invited: invited, alias: alias,
      profile: try await memberships.users.profile(requester.userID), rooms: config.rooms)
    try events.check()
    var chain = EventChain(
      roomID: nil, version: request.version, prevEvents: [], depth: 1,
      state: ResolvedState(group: nil, snapshot: StateSnapshot()))
    let first = try await createRoom(request, requester, events, &chain)
    let roomID = first.event.roomID
    if let alias {
      try await storage.directory.create(
        alias, roomID: roomID, servers: [config.serverName], creator: requester.userID)
    }
    do {
      try await send(events, after: first, on: chain, requester: requester)
    } catch {
      // The alias must not lead to a room that does not exist; the error that is thrown says why it does not.
      if let alias { _ = try? await storage.directory.delete(alias) }
      throw error
    }
    try await invite(invited, to: roomID, isDirect: request.isDirect, requester: requester)
    return roomID
  }

  private func alias(_ request: RoomCreationRequest) async throws -> RoomAlias? {
    guard let name = request.aliasName else { return nil }
    guard let alias = RoomAlias("#\(name):\(config.serverName)") else {
      throw MatrixError.invalidParam("Room alias is too long or not valid")
    }
    if try await storage.directory.association(alias) != nil {
      throw MatrixError.roomInUse("Room alias already taken")
    }
    return alias
  }

  private func checkInvites(
    _ request: RoomCreationRequest, _ invited: [UserID], _ requester: Requester
  ) async throws {
    guard !invited.isEmpty else { return }
    do {
      try await rateLimiter.check(.inviteByIssuer, requester, counts: false, times: invited.count)
    } catch let error as MatrixError where error.status == 429 {
      throw MatrixError.unknown("Cannot invite so many users at once", status: 400)
    }
  }

  /// Makes the room's row and its first event.
  private func createRoom(
    _ request: RoomCreationRequest, _ requester: Requester, _ events: InitialEvents, _ chain: inout EventChain
  ) async throws -> CreatedEvent {
    var time = clock.nowMilliseconds
    for _ in 0..<5 {
      let roomID =
        request.version.isRoomIDCreateHash
        ? nil : RoomID(unchecked: "!\(RandomString.letters(18)):\(config.serverName)")
      var attempt = EventChain(
        roomID: roomID, version: request.version, prevEvents: [], depth: 1, state: chain.state)
      let draft = ClientEventDraft(
        // A room that is named by its first event has no name before that event.
        roomID: roomID ?? RoomID(unchecked: ""), type: "m.room.create", stateKey: "", content: events.createContent,
        originServerTS: time)
      guard case .created(let created) = try await creator.create(draft, requester: requester, on: &attempt) else {
        throw MatrixError.unknown("The first event of a room cannot be a duplicate", status: 500)
      }
      if try await storeRoom(created.event.roomID, request, requester) {
        chain = attempt.named(created.event.roomID)
        return created
      }
      // Rooms of one user with the same content in one millisecond would have one id.
      time += 1
    }
    throw MatrixError.unknown("Couldn't generate a unique room ID.", status: 500)
  }

  /// Makes the room's row.
  ///
  /// - Returns: false when the id is taken.
  private func storeRoom(
    _ roomID: RoomID, _ request: RoomCreationRequest, _ requester: Requester
  ) async throws -> Bool {
    let aliases = request.aliasName.map { [RoomAlias(localpart: $0, serverName: config.serverName)] } ?? []
    // A room that may not be published is created all the same, unlisted.
    let isPublic =
      request.isPublic
      && config.rooms.listPublicationRules.allows(userID: requester.userID, roomID: roomID, aliases: aliases)
    do {
      try await storage.rooms.storeRoom(
        roomID, creator: requester.userID, version: request.version, isPublic: isPublic)
      return true
    } catch let error as PostgresError where error.isUniqueViolation {
      return false
    }
  }

  private func send(
    _ events: InitialEvents, after first: CreatedEvent, on start: EventChain, requester: Requester
  ) async throws {
    var chain = start
    let roomID = first.event.roomID
    var created = [first]
    for (key, content) in try events.afterCreation() {
      let draft = ClientEventDraft(roomID: roomID, type: key.type, stateKey: key.stateKey, content: content)
      if case .created(let event) = try await creator.create(draft, requester: requester, on: &chain) {
        created.append(event)
      }
    }
    var outgoing: [OutgoingEvent] = []
    for event in created {
      outgoing.append(try await delivery.outgoing(event, requester: requester, evaluatesPush: false))
    }
    await delivery.settle(try await delivery.deliver(outgoing, room: roomID))
  }

  /// Invites all at once, so that the invites gather in one batch.
  private func invite(_ users: [UserID], to roomID: RoomID, isDirect: Bool, requester: Requester) async throws {
    let content: [String: JSON] = isDirect ? ["is_direct": true] : [:]
    let memberships = memberships
    try await withThrowingTaskGroup(of: Void.self) { group in
      for user in users {
        group.addTask {
          try await memberships.change(
            MembershipRequest(roomID: roomID, target: user, action: .invite, content: content, ratelimit: false),
            requester: requester)
        }
      }
      try await group.waitForAll()
    }
  }
}
