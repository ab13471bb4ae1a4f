import EventPersistence
import MatrixEvents
import MatrixPrimitives
import ServerConfig
import Stores

/// Room aliases and the list of published rooms.
public final class DirectoryService: Sendable {
  let stores: RoomStores
  let config: HomeserverConfig
  private let state: StateService
  private let submitter: EventSubmitter
  private let users: LocalUsers
  private let access: RoomAccess

  static let longestAlias = 255

  init(
    stores: RoomStores, state: StateService, config: HomeserverConfig, submitter: EventSubmitter, users: LocalUsers
  ) {
    self.stores = stores
    self.state = state
    self.config = config
    self.submitter = submitter
    self.users = users
    access = RoomAccess(stores: stores)
  }

  // MARK: Aliases

  /// Finds the room that an alias names, and the servers in it, this one first.
  ///
  /// - Throws: `MatrixError` 404 when the alias is not taken, or belongs to another server, which cannot be asked.
  public func resolve(_ alias: RoomAlias) async throws -> (roomID: RoomID, servers: [Text]) {
    guard alias.serverName == config.serverName, let found = try await stores.directory.association(alias) else {
      throw MatrixError.notFound("Room alias \(alias.rawValue) not found")
    }
    var servers = Set(found.servers)
    for user in try await stores.memberships.joinedUsers(found.roomID) { servers.insert(user.serverName) }
    let others = servers.subtracting([config.serverName]).sorted()
    return (found.roomID, servers.contains(config.serverName) ? [config.serverName] + others : others)
  }

  /// Finds a room by id or alias.
  ///
  /// - Throws: `MatrixError` 400 when the text is neither, 404 for aliases that name nothing.
  public func room(_ text: Text) async throws -> RoomID {
    if let roomID = RoomID(text) { return roomID }
    guard let alias = RoomAlias(text) else {
      throw MatrixError.invalidParam("\(text) was not legal room ID or room alias")
    }
    return try await resolve(alias).roomID
  }

  /// Gives a room an alias.
  ///
  /// - Throws: `MatrixError`: 400 for aliases that may not be or rooms that do not exist, 403 for users who are not in the room,
  ///   409 when the alias is taken.
  public func create(_ alias: RoomAlias, roomID: RoomID, servers: [Text]?, requester: Requester) async throws {
    guard try await stores.rooms.room(roomID) != nil else {
      throw MatrixError.unknown("Room does not exist", status: 400)
    }
    try Self.checkForm(alias, serverName: config.serverName)
    if requester.appserviceID == nil {
      if config.rooms.aliasesRequireMembership,
        try await !access.isMember(requester.userID, of: roomID),
        try await !users.isAdmin(requester.userID)
      {
        throw MatrixError.forbidden("You must be in the room to create an alias for it")
      }
      guard config.rooms.aliasCreationRules.allows(userID: requester.userID, roomID: roomID, aliases: [alias]) else {
        throw MatrixError.forbidden("Not allowed to create alias")
      }
    }
    var known = servers ?? []
    if known.isEmpty { known = Set(try await stores.memberships.joinedUsers(roomID).map(\.serverName)).sorted() }
    guard !known.isEmpty else { throw MatrixError.unknown("Failed to get server list", status: 400) }
    try await stores.directory.create(alias, roomID: roomID, servers: known, creator: requester.userID)
  }

  /// Refuses aliases that are too long, have white space, or belong to another server.
  static func checkForm(_ alias: RoomAlias, serverName: Text) throws(MatrixError) {
    if alias.rawValue.utf8.count > longestAlias {
      throw .invalidParam("Can't create aliases longer than \(longestAlias) characters")
    }
    if alias.localpart.unicodeScalars.contains(where: { $0.properties.isWhitespace }) {
      throw .invalidParam("Invalid characters in room alias")
    }
    if alias.serverName != serverName { throw .invalidParam("Room alias must be local") }
  }

  /// Takes an alias away, also from the room's canonical alias if the user may change that.
  ///
  /// - Throws: `MatrixError` 404 when it is not taken, 403 when the user neither made it nor moderates the room.
  public func delete(_ alias: RoomAlias, requester: Requester) async throws {
    guard alias.serverName == config.serverName, let found = try await stores.directory.association(alias) else {
      throw MatrixError.notFound("Unknown room alias")
    }
    if found.creator != requester.userID.rawValue, try await !mayChangeList(found.roomID, requester) {
      throw MatrixError.forbidden("You don't have permission to delete the alias.")
    }
    guard let roomID = try await stores.directory.delete(alias) else {
      throw MatrixError.notFound("Unknown room alias")
    }
    do {
      try await withdrawCanonicalAlias(alias, roomID: roomID, requester: requester)
    } catch let error as MatrixError where error.status < 500 {
      // The alias is gone; that the room still names it is for its moderators to settle.
      return
    }
  }

  private func withdrawCanonicalAlias(_ alias: RoomAlias, roomID: RoomID, requester: Requester) async throws {
    let key = StateKey("m.room.canonical_alias")
    guard let event = try await stores.currentStateEvent(roomID, key),
      var content = event.content.json.members
    else { return }
    func names(_ value: JSON?) -> Bool { value?.string == alias.rawValue }
    let others = content["alt_aliases"]?.elements ?? []
    guard names(content["alias"]) || others.contains(where: names) else { return }
    if names(content["alias"]) { content["alias"] = nil }
    if !others.isEmpty {
      let rest = others.filter { !names($0) }
      content["alt_aliases"] = rest.isEmpty ? nil : .array(rest)
    }
    let draft = ClientEventDraft(roomID: roomID, type: key.type, stateKey: "", content: .object(content))
    _ = try await submitter.submit(draft, requester: requester, ratelimit: false)
  }

  /// Lists the aliases of a room.
  ///
  /// - Throws: `MatrixError` 403 when the user is not in the room, unless anyone may read it.
  public func aliases(of roomID: RoomID, requester: Requester) async throws -> [Text] {
    _ = try await access.right(of: requester.userID, in: roomID, includesPast: false)
    return try await stores.directory.aliases(of: roomID)
  }

  // MARK: Published rooms

  /// Returns whether a room is in the list.
  ///
  /// - Throws: `MatrixError` 404 for unknown rooms.
  public func isPublished(_ roomID: RoomID) async throws -> Bool {
    guard let room = try await stores.rooms.room(roomID) else { throw MatrixError.notFound("Unknown room") }
    return room.isPublic
  }

  /// Puts a room on the list or takes it off.
  ///
  /// - Throws: `MatrixError` 400 for unknown rooms, 403 when the user does not moderate the room or may not publish.
  public func setPublished(_ roomID: RoomID, _ isPublic: Bool, requester: Requester) async throws {
    if requester.isGuest { throw MatrixError.forbidden("Guests cannot edit the published room list") }
    if isPublic, !config.rooms.allowsListSearch {
      throw MatrixError.forbidden("This user is not permitted to publish rooms to the room list")
    }
    guard try await stores.rooms.room(roomID) != nil else { throw MatrixError.unknown("Unknown room", status: 400) }
    guard try await mayChangeList(roomID, requester) else {
      throw MatrixError.forbidden(
        "This server requires you to be a moderator in the room to edit its room list entry")
    }
    if isPublic {
      let aliases = try await stores.directory.aliases(of: roomID).compactMap { RoomAlias($0) }
      guard config.rooms.listPublicationRules.allows(userID: requester.userID, roomID: roomID, aliases: aliases) else {
        throw MatrixError.forbidden("Not allowed to publish room")
      }
    }
    _ = try await stores.rooms.setPublic(roomID, isPublic)
  }

  /// Returns whether a user may change the canonical alias, and so the list's entry.
  private func mayChangeList(_ roomID: RoomID, _ requester: Requester) async throws -> Bool {
    if try await users.isAdmin(requester.userID) { return true }
    guard try await access.isMember(requester.userID, of: roomID) else { return false }
    let keys = [StateKey("m.room.create"), StateKey("m.room.power_levels")]
    let map = try await stores.state.currentState(roomID, filter: .keys(keys))
    let events = try await stores.events.events(Array(map.values))
    let levels = PowerLevels(
      create: map[keys[0]].flatMap { events[$0]?.event }, powerLevels: map[keys[1]].flatMap { events[$0]?.event })
    return levels.level(of: requester.userID) >= levels.required(forType: "m.room.canonical_alias", isState: true)
  }
}
