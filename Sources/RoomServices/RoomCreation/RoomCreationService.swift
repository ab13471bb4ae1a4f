import EventPersistence
import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres
import ServerConfig
import Stores

/// The creation of rooms.
public final class RoomCreationService: Sendable {
  private let rooms: RoomStore
  private let directory: DirectoryStore
  private let config: HomeserverConfig
  private let creator: EventCreator
  private let delivery: PersisterDelivery
  private let memberships: MembershipService
  private let rateLimiter: RoomRateLimiter
  private let clock: ServerClock
  private let transactions = TransactionRegister<RoomID>(capacity: 1_024)

  init(
    rooms: RoomStore, directory: DirectoryStore, config: HomeserverConfig, creator: EventCreator,
    delivery: PersisterDelivery, memberships: MembershipService, rateLimiter: RoomRateLimiter, clock: ServerClock
  ) {
    self.rooms = rooms
    self.directory = directory
    self.config = config
    self.creator = creator
    self.delivery = delivery
    self.memberships = memberships
    self.rateLimiter = rateLimiter
    self.clock = clock
  }

  /// Creates a room as a body of `/createRoom` asks for it. Repeating a transaction id of the same session returns the room of the first
  /// request, for as long as this process remembers it.
  ///
  /// - Throws: `MatrixError`: 429 before the body is looked at; what reading it throws, and what creating the room throws.
  public func create(_ body: JSONValue, transactionID: Text? = nil, requester: Requester) async throws -> RoomID {
    guard let transactionID else { return try await create(body, requester) }
    let session = requester.deviceID.map { "d" + $0 } ?? requester.accessTokenID.map { "t\($0)" } ?? "-"
    let key = TransactionRegister<RoomID>.Key(
      userID: requester.userID, session: session, roomID: RoomID(unchecked: ""), transactionID: transactionID,
      path: .send("createRoom"))
    return try await transactions.run(key) { try await self.create(body, requester) }
  }

  private func create(_ body: JSONValue, _ requester: Requester) async throws -> RoomID {
    try await checkRates(requester)
    let request = try RoomCreationRequest(body, defaultVersion: config.rooms.defaultRoomVersion)
    return try await create(request, requester: requester)
  }

  /// Creates a room. All its events, invites included, are built and authorised as one chain before anything is stored.
  ///
  /// - Throws: `MatrixError`: 400 for what may not be asked, `M_ROOM_IN_USE` when the alias is taken, 403 for what the rules of the
  ///   room or the server forbid. Nothing is stored then.
  public func create(_ request: RoomCreationRequest, requester: Requester) async throws -> RoomID {
    if try await memberships.users.isSuspended(requester.userID) {
      throw MatrixError(.userSuspended, "Sending messages while account is suspended is not allowed.")
    }
    let alias = try await alias(request)
    let invited = requester.isShadowBanned ? [] : request.invited
    try await checkInviteRate(invited, requester)
    let events = InitialEvents(
      request: request, creator: requester.userID, invited: invited, alias: alias,
      profile: try await memberships.users.profile(requester.userID), rooms: config.rooms)
    try events.check()
    var time = clock.nowMilliseconds
    for _ in 0..<5 {
      let room = try await build(events, requester: requester, time: time)
      if let alias { try checkCreation(of: alias, roomID: room.roomID, requester: requester) }
      if try await storeRoom(room.roomID, request, requester) {
        try await store(room, alias: alias, requester: requester)
        return room.roomID
      }
      // Rooms of one user with the same content in one millisecond would have one id.
      time += 1
    }
    throw MatrixError.unknown("Couldn't generate a unique room ID.", status: 500)
  }

  // MARK: Checking

  /// Counts the room for `rc_room_creation` and as an event for `rc_message`, unless either refuses it.
  func checkRates(_ requester: Requester) async throws {
    try await rateLimiter.check(.roomCreation, requester, counts: false)
    try await rateLimiter.check(.message, requester)
    try await rateLimiter.check(.roomCreation, requester)
  }

  private func alias(_ request: RoomCreationRequest) async throws -> RoomAlias? {
    guard let name = request.aliasName else { return nil }
    guard let alias = RoomAlias("#\(name):\(config.serverName)") else {
      throw MatrixError.invalidParam("Room alias is too long or not valid")
    }
    try DirectoryService.checkForm(alias, serverName: config.serverName)
    if try await directory.association(alias) != nil {
      throw MatrixError(.roomInUse, "Room alias already taken")
    }
    return alias
  }

  private func checkCreation(of alias: RoomAlias, roomID: RoomID, requester: Requester) throws(MatrixError) {
    guard requester.appserviceID == nil else { return }
    guard config.rooms.aliasCreationRules.allows(userID: requester.userID, roomID: roomID, aliases: [alias]) else {
      throw .forbidden("Not allowed to create alias")
    }
  }

  /// Requires the user to be free to invite that many at once into one room (`rc_invites.per_room`).
  private func checkInviteRate(_ invited: [UserID], _ requester: Requester) async throws {
    guard !invited.isEmpty else { return }
    do {
      try await rateLimiter.check(.inviteToNewRoom, requester, counts: false, times: invited.count)
    } catch let error as MatrixError where error.status == 429 {
      throw MatrixError.unknown("Cannot invite so many users at once", status: 400)
    }
  }

  // MARK: Building

  /// The events of a room that is not stored yet.
  struct NewRoom: Sendable {
    let roomID: RoomID
    var events: [CreatedEvent]
    var invites: [(event: CreatedEvent, target: UserID)] = []
  }

  /// Makes an id for a room whose first event does not name it.
  func newRoomID() -> RoomID { RoomID(unchecked: "!\(RandomString.letters(18)):\(config.serverName)") }

  /// Builds all events of a room.
  ///
  /// - Parameter roomID: the room's id where it is known already.
  func build(
    _ events: InitialEvents, requester: Requester, time: Int64, roomID known: RoomID? = nil
  ) async throws -> NewRoom {
    let version = events.request.version
    let roomID = version.isRoomIDCreateHash ? nil : known ?? newRoomID()
    var chain = EventChain(
      roomID: roomID, version: version, prevEvents: [], depth: 1,
      state: ResolvedState(group: nil, snapshot: StateSnapshot()))
    let draft = ClientEventDraft(
      // A room that is named by its first event has no name before that event.
      roomID: roomID ?? RoomID(unchecked: ""), type: "m.room.create", stateKey: "", content: events.createContent,
      originServerTS: time)
    guard case .created(let first) = try await creator.create(draft, requester: requester, on: &chain) else {
      throw MatrixError.unknown("The first event of a room cannot be a duplicate", status: 500)
    }
    var room = NewRoom(roomID: first.event.roomID, events: [first])
    chain = chain.named(room.roomID)
    chain.promisedAlias = events.alias
    for (key, content) in try events.afterCreation() {
      let draft = ClientEventDraft(roomID: room.roomID, type: key.type, stateKey: key.stateKey, content: content)
      if case .created(let event) = try await creator.create(draft, requester: requester, on: &chain) {
        room.events.append(event)
      }
    }
    let content: [Text: JSON] = events.request.isDirect ? ["is_direct": true] : [:]
    for user in events.invited {
      let invite = MembershipRequest(roomID: room.roomID, target: user, action: .invite, content: content)
      if let event = try await memberships.build(invite, requester: requester, on: &chain) {
        room.invites.append((event, user))
      }
    }
    return room
  }

  // MARK: Storing

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
      try await rooms.storeRoom(
        roomID, creator: requester.userID, version: request.version, isPublic: isPublic)
      return true
    } catch let error as PostgresError where error.isUniqueViolation {
      return false
    }
  }

  /// Stores what was built: the alias, which the persister looks up, the first events, and the invites, which members see.
  func store(_ room: NewRoom, alias: RoomAlias?, requester: Requester) async throws {
    do {
      if let alias {
        try await directory.create(
          alias, roomID: room.roomID, servers: [config.serverName], creator: requester.userID)
      }
      var first: [SubmittedEvent] = []
      for event in room.events {
        first.append(try await delivery.outgoing(event, requester: requester, evaluatesPush: false))
      }
      await delivery.settle(try await delivery.deliver(first, room: room.roomID))
    } catch {
      // The error that is thrown says why the room does not exist.
      try? await withdraw(room.roomID, alias)
      throw error
    }
    var invites: [SubmittedEvent] = []
    for (event, target) in room.invites {
      invites.append(try await delivery.outgoing(event, requester: requester, extraUsers: [target]))
    }
    guard !invites.isEmpty else { return }
    await delivery.settle(try await delivery.deliver(invites, room: room.roomID))
  }

  /// Takes back what was stored of a room whose first events were not.
  private func withdraw(_ roomID: RoomID, _ alias: RoomAlias?) async throws {
    if let alias, try await directory.association(alias)?.roomID == roomID {
      _ = try await directory.delete(alias)
    }
    try await rooms.removeWithoutEvents(roomID)
  }
}
