import EventPersistence
import Logging
import MatrixEvents
import MatrixPrimitives
import ServerConfig
import Stores
import Synchronization

/// The replacement of a room by one of another version.
///
/// https://spec.matrix.org/v1.16/client-server-api/#server-behaviour-19
public final class RoomUpgradeService: Sendable {
  /// The carrying of what users have said of the room.
  public let successors = RoomSuccessors()
  private let stores: RoomStores
  private let creator: EventCreator
  private let delivery: PersisterDelivery
  private let submitter: EventSubmitter
  private let creation: RoomCreationService
  private let users: LocalUsers
  private let locks: RoomLocks
  private let config: HomeserverConfig
  private let logger: Logger
  private let underWay = Mutex<[RoomID: (user: UserID, work: Task<RoomID, any Error>)]>([:])

  init(
    stores: RoomStores, creator: EventCreator, delivery: PersisterDelivery, submitter: EventSubmitter,
    creation: RoomCreationService, users: LocalUsers, locks: RoomLocks, config: HomeserverConfig, logger: Logger
  ) {
    self.stores = stores
    self.creator = creator
    self.delivery = delivery
    self.submitter = submitter
    self.creation = creation
    self.users = users
    self.locks = locks
    self.config = config
    self.logger = logger
  }

  /// Replaces a room. Asked again while it is at it, it answers with the same room.
  ///
  /// - Returns: the new room.
  /// - Throws: `MatrixError` 404 for unknown rooms, 403 when the user may not replace the room, 400 while another user does, 429.
  public func upgrade(_ room: RoomID, _ request: RoomUpgradeRequest, requester: Requester) async throws -> RoomID {
    if requester.isShadowBanned {
      _ = try await EventSubmitter.pretend()
      return RoomID(unchecked: "!\(RandomString.letters(18)):\(config.serverName)")
    }
    try await creation.checkRates(requester)
    let work = try underWay.withLock { entries throws(MatrixError) -> Task<RoomID, any Error> in
      if let entry = entries[room] {
        guard entry.user == requester.userID else {
          throw .unknown("An upgrade for this room is currently in progress", status: 400)
        }
        return entry.work
      }
      // In a task of its own: who hangs up must not leave the rooms half done.
      let work = Task {
        defer { underWay.withLock { $0[room] = nil } }
        let hold = try await locks.hold(room)
        defer { hold.release() }
        return try await replace(room, request, requester)
      }
      entries[room] = (requester.userID, work)
      return work
    }
    return try await work.value
  }

  private func replace(_ room: RoomID, _ request: RoomUpgradeRequest, _ requester: Requester) async throws -> RoomID {
    guard let info = try await stores.rooms.room(room) else {
      throw MatrixError.notFound("Unknown room id \(room.rawValue)")
    }
    if try await users.isSuspended(requester.userID) {
      throw MatrixError(.userSuspended, "Sending messages while account is suspended is not allowed.")
    }
    // Says whether the user may do it at all, before anything else is looked at.
    _ = try await tombstone(room, replacement: "", requester)
    let old = try await OldRoom(room, stores)
    var creation = try await newRoom(old, request, requester)
    let tombstone: CreatedEvent
    let new: RoomCreationService.NewRoom
    if request.version.isRoomIDCreateHash {
      new = try await self.creation.build(creation, requester: requester, time: stores.clock.nowMilliseconds)
      tombstone = try await self.tombstone(room, replacement: new.roomID.rawValue, requester)
    } else {
      let id = self.creation.newRoomID()
      tombstone = try await self.tombstone(room, replacement: id.rawValue, requester)
      creation = creation.following(tombstone.event.eventID)
      new = try await self.creation.build(
        creation, requester: requester, time: stores.clock.nowMilliseconds, roomID: id)
    }
    try await stores.rooms.storeRoom(
      new.roomID, creator: requester.userID, version: request.version, isPublic: info.isPublic)
    try await self.creation.store(new, alias: nil, requester: requester)
    let outgoing = try await delivery.outgoing(tombstone, requester: requester)
    await delivery.settle(try await delivery.deliver([outgoing], room: room))
    try await moveAliases(old, to: new.roomID, requester)
    await carry(from: room, to: new.roomID, isPublic: info.isPublic)
    try await settleLevels(old, new.roomID, request, requester)
    return new.roomID
  }

  // MARK: The events

  /// Builds the event that names the new room, at the end of the old one.
  ///
  /// - Throws: `MatrixError` 403 when the user may not send it.
  private func tombstone(_ room: RoomID, replacement: Text, _ requester: Requester) async throws -> CreatedEvent {
    var chain = try await creator.chain(at: room, for: requester.userID)
    let draft = ClientEventDraft(
      roomID: room, type: EventType.tombstone, stateKey: "",
      content: ["body": "This room has been replaced", "replacement_room": .string(replacement)])
    guard case .created(let event) = try await creator.create(draft, requester: requester, on: &chain) else {
      throw MatrixError.unknown("The room has been replaced by that room already", status: 400)
    }
    return event
  }

  /// The room that is replaced, as far as it matters.
  private struct OldRoom {
    let roomID: RoomID
    let state: [StateKey: StoredEvent]
    let bans: [StoredEvent]

    /// The state that the new room gets as it is.
    static let copied = [
      EventType.joinRules, EventType.name, EventType.topic, EventType.historyVisibility, EventType.guestAccess,
      EventType.avatar, EventType.encryption, EventType.serverACL,
    ]

    init(_ roomID: RoomID, _ stores: RoomStores) async throws {
      self.roomID = roomID
      try await stores.barrier.pass(room: roomID)
      var types: [Text: Set<Text>?] = [RoomOverview.childType: nil]
      for type in Self.copied + [EventType.create, EventType.powerLevels, EventType.canonicalAlias] {
        types[type] = .some([""])
      }
      let map = try await stores.state.currentState(roomID, filter: StateFilter(types: types))
      let banned = try await stores.memberships.members(roomID).users(.ban)
      let keys = banned.sorted().map { StateKey(EventType.member, $0.rawValue) }
      let memberMap = keys.isEmpty ? [:] : try await stores.state.currentState(roomID, filter: .keys(keys))
      let events = try await stores.events.events(Array(map.values) + Array(memberMap.values))
      state = map.compactMapValues { events[$0] }
      bans = keys.compactMap { memberMap[$0].flatMap { events[$0] } }.filter { $0.event.membership == "ban" }
    }

    func content(_ type: Text) -> JSONValue? { state[StateKey(type)]?.content }

    /// The children of a space, those left out that were taken out of it.
    var children: [(StateKey, JSON)] {
      guard content(EventType.create)?["type"]?.string == "m.space" else { return [] }
      return state.filter { $0.key.type == RoomOverview.childType && $0.value.content.members?.isEmpty == false }
        .sorted { $0.key.stateKey < $1.key.stateKey }.map { ($0.key, $0.value.content.json) }
    }

    /// The levels of the old room, for a room of a version.
    func levels(for version: RoomVersion) -> UpgradedPowerLevels? {
      guard let content = content(EventType.powerLevels) else { return nil }
      guard !version.hasCreatorPower, let create = state[StateKey(EventType.create)],
        create.event.version.hasCreatorPower
      else { return UpgradedPowerLevels(content) }
      let others =
        create.content["additional_creators"]?.elements?.compactMap { $0.string.flatMap { UserID($0) } } ?? []
      return UpgradedPowerLevels(content, creators: [create.sender] + others)
    }
  }

  /// Lists those who may not be in the list of levels, as they stand above it.
  private func creators(_ request: RoomUpgradeRequest, _ requester: Requester) -> [UserID] {
    request.version.hasCreatorPower ? [requester.userID] + (request.additionalCreators ?? []) : []
  }

  private func newRoom(
    _ old: OldRoom, _ request: RoomUpgradeRequest, _ requester: Requester
  ) async throws -> InitialEvents {
    var state: [(StateKey, JSON)] = []
    if let levels = old.levels(for: request.version) {
      let initial = levels.initial(for: requester.userID, without: creators(request, requester))
      state.append((StateKey(EventType.powerLevels), .object(initial)))
    }
    for type in OldRoom.copied {
      if let content = old.content(type) { state.append((StateKey(type), content.json)) }
    }
    let creation = RoomCreationRequest(
      replacing: old.roomID, create: old.content(EventType.create), version: request.version,
      additionalCreators: request.additionalCreators, state: state + old.children)
    var events = InitialEvents(
      request: creation, creator: requester.userID, invited: [], alias: nil,
      profile: try await users.profile(requester.userID), rooms: config.rooms)
    events.bans = old.bans.compactMap { ban in
      ban.stateKey.map { (StateKey(EventType.member, $0), ban.content.json) }
    }
    return events
  }

  // MARK: What goes with the room

  /// Gives the new room the old one's aliases, and tells both rooms.
  private func moveAliases(_ old: OldRoom, to new: RoomID, _ requester: Requester) async throws {
    try await stores.directory.moveAliases(from: old.roomID, to: new)
    let key = StateKey(EventType.canonicalAlias)
    guard var before = old.state[key]?.content.json.members else { return }
    let suffix = ":" + config.serverName
    var after: [Text: JSON] = [:]
    if let main = before["alias"]?.string, main.hasSuffix(suffix) {
      after["alias"] = .string(main)
      before["alias"] = nil
    }
    if let others = before["alt_aliases"]?.elements, !others.isEmpty {
      let moved = others.filter { $0.string?.hasSuffix(suffix) == true }
      let rest = others.filter { $0.string?.hasSuffix(suffix) != true }
      after["alt_aliases"] = .array(moved)
      before["alt_aliases"] = rest.isEmpty ? nil : .array(rest)
    }
    for (room, content) in [(old.roomID, before), (new, after)] {
      await send(ClientEventDraft(roomID: room, type: key.type, stateKey: "", content: .object(content)), requester)
    }
  }

  /// Sends an event whose refusal does not keep the room from being replaced.
  private func send(_ draft: ClientEventDraft, _ requester: Requester) async {
    do {
      _ = try await submitter.submit(draft, requester: requester, ratelimit: false)
    } catch {
      logger.warning("\(draft.roomID) is replaced without a new \(draft.type): \(error)")
    }
  }

  private func carry(from old: RoomID, to new: RoomID, isPublic: Bool) async {
    do {
      if isPublic { _ = try await stores.rooms.setPublic(old, false) }
      let users = try await stores.memberships.localJoinedUsers(old)
      try await successors.carry(from: old, to: new, users: users)
    } catch {
      logger.warning("Not all that was said of \(old) could be carried over to \(new): \(error)")
    }
  }

  /// Silences the old room, and gives the new one the levels that the old one had.
  private func settleLevels(
    _ old: OldRoom, _ new: RoomID, _ request: RoomUpgradeRequest, _ requester: Requester
  ) async throws {
    guard let levels = old.levels(for: request.version), let content = old.content(EventType.powerLevels) else {
      return
    }
    if let silenced = UpgradedPowerLevels(content).silenced {
      await send(
        ClientEventDraft(roomID: old.roomID, type: EventType.powerLevels, stateKey: "", content: .object(silenced)),
        requester)
    }
    let final = levels.final(without: creators(request, requester))
    _ = try await submitter.submit(
      ClientEventDraft(roomID: new, type: EventType.powerLevels, stateKey: "", content: .object(final)),
      requester: requester, ratelimit: false)
  }
}
