import EventPersistence
import MatrixEvents
import MatrixPrimitives
import ServerConfig
import Stores

/// The building of events from drafts: their place in the room, auth events, hash, signature and id, and the check that
/// they are allowed.
final class EventCreator: Sendable {
  private let stores: RoomStores
  private let state: StateService
  private let signer: EventSigner
  private let serverName: Text
  private let clock: ServerClock
  private let validator: EventContentValidator
  let strippedState: StrippedState

  init(stores: RoomStores, state: StateService, signer: EventSigner, config: HomeserverConfig, clock: ServerClock) {
    self.stores = stores
    self.state = state
    self.signer = signer
    serverName = config.serverName
    self.clock = clock
    validator = EventContentValidator(serverName: config.serverName)
    strippedState = StrippedState(state: state, types: config.rooms.prejoinState)
  }

  /// Stands at the end of a room.
  ///
  /// - Throws: `MatrixError` 403 when this server does not know the room.
  func chain(at roomID: RoomID, for sender: UserID) async throws -> EventChain {
    guard let version = try await stores.rooms.version(of: roomID) else {
      throw MatrixError.forbidden("User \(sender.rawValue) not in room \(roomID.rawValue)")
    }
    let previous = try await stores.rooms.prevEventsForNewEvent(roomID)
    guard !previous.isEmpty else {
      throw MatrixError.forbidden("User \(sender.rawValue) not in room \(roomID.rawValue)")
    }
    let prevEvents = previous.map(\.eventID)
    let deepest = previous.map(\.depth).max() ?? 0
    return EventChain(
      roomID: roomID, version: version, prevEvents: prevEvents,
      depth: min(deepest, EventChain.greatestDepth - 1) + 1,
      state: try await state.stateBefore(roomID: roomID, version: version, prevEvents: prevEvents))
  }

  /// Builds the event of a draft at the end of a chain, and moves the chain behind it.
  ///
  /// - Throws: `MatrixError`: 400 for contents that may not be, 403 for what the sender may not do, 413 for events too large.
  func create(_ draft: ClientEventDraft, requester: Requester, on chain: inout EventChain) async throws
    -> CreationResult
  {
    try validator.check(draft, version: chain.version)
    if draft.type == "m.room.create", draft.stateKey != nil, !chain.prevEvents.isEmpty {
      throw MatrixError.invalidParam("Cannot resend m.room.create event")
    }
    let key = draft.stateKey.map { StateKey(draft.type, $0) }
    let replaced = if let key { try await chain.stateEvent(key, state) } else { Event?.none }
    if let replaced, replaced.sender == requester.userID, Self.isSame(replaced.content, draft.content) {
      return .duplicate(replaced.eventID)
    }
    let event = try await build(draft, requester: requester, replaced: replaced, on: chain)
    try await checkConsequences(of: event, replaced: replaced, on: chain)
    let before = chain.state
    let context = try await state.context(for: event, before: before)
    chain.append(event, context: context)
    return .created(
      CreatedEvent(event: event, context: context, metadata: Self.metadata(draft, requester), before: before))
  }

  private static func isSame(_ stored: JSONValue, _ draft: JSON) -> Bool { stored.json == draft }

  private static func metadata(_ draft: ClientEventDraft, _ requester: Requester) -> EventMetadata {
    var metadata = EventMetadata()
    metadata.txnID = draft.transactionID
    metadata.deviceID = requester.deviceID
    metadata.delayID = draft.delayID
    return metadata
  }

  // MARK: Building

  private func build(
    _ draft: ClientEventDraft, requester: Requester, replaced: Event?, on chain: EventChain
  ) async throws -> Event {
    let keys = AuthRules.authEventKeys(
      type: draft.type, stateKey: draft.stateKey, sender: requester.userID, content: draft.content,
      version: chain.version)
    let createKey = StateKey("m.room.create")
    let needed = keys.contains(createKey) ? keys : keys + [createKey]
    let authState = try await chain.stateEvents(needed, state)
    let now = clock.nowMilliseconds
    let unsigned = try await unsigned(draft, requester: requester, replaced: replaced, now: now, on: chain)
    let eventDraft = EventDraft(
      type: draft.type, stateKey: draft.stateKey, sender: requester.userID, roomID: chain.roomID,
      content: draft.content, prevEvents: chain.prevEvents, authEvents: keys.compactMap { authState[$0]?.eventID },
      depth: chain.depth, originServerTS: draft.originServerTS ?? now, unsigned: unsigned, redacts: draft.redacts)
    let event: Event
    do {
      event = try eventDraft.seal(version: chain.version, signer: signer, serverName: serverName)
    } catch {
      throw error.matrixError
    }
    do {
      try AuthRules.check(event, state: AuthEvents(authState))
    } catch {
      throw error.matrixError
    }
    return event
  }

  private func unsigned(
    _ draft: ClientEventDraft, requester: Requester, replaced: Event?, now: Int64, on chain: EventChain
  ) async throws -> JSON {
    var members: [Text: JSON] = ["age_ts": .integer(now)]
    if let replaced { members["replaces_state"] = .string(replaced.eventID.rawValue) }
    if draft.type == "m.room.member" {
      switch draft.content["membership"]?.string {
      case "invite":
        members["invite_room_state"] = try await strippedState.events(on: chain, inviter: requester.userID)
      case "knock":
        members["knock_room_state"] = try await strippedState.events(on: chain, inviter: nil)
      default: break
      }
    }
    return .object(members)
  }

  // MARK: Rules beyond the authorisation rules

  /// Checks what only the server of the sender checks.
  func checkConsequences(of event: Event, replaced: Event?, on chain: EventChain) async throws {
    switch event.type {
    case "m.room.canonical_alias" where event.isState:
      try await checkAliases(event, replaced: replaced, on: chain)
    case "m.room.redaction" where !event.isState:
      try await checkRedaction(event, on: chain)
    case "m.call.invite" where !event.isState:
      let rules = try await chain.stateEvent(StateKey("m.room.join_rules"), state)
      if rules?.content["join_rule"]?.string == "public" {
        throw MatrixError.forbidden("Call invites are not allowed in public rooms.")
      }
    default: break
    }
  }

  /// Requires every alias that the event names, and the one before did not, to lead to the room. Aliases are what their bytes
  /// say: one that merely looks the same has to be checked as well.
  private func checkAliases(_ event: Event, replaced: Event?, on chain: EventChain) async throws {
    let before = Self.aliases(replaced?.content), after = Self.aliases(event.content)
    var wanted = Set(after.others).subtracting(before.others)
    if let main = after.main, main != before.main { wanted.insert(main) }
    for text in wanted.sorted() where text != chain.promisedAlias?.rawValue {
      guard let alias = RoomAlias(text) else { throw MatrixError.invalidParam("Room alias \(text) is not valid") }
      let association = alias.serverName == serverName ? try await stores.directory.association(alias) : nil
      guard association?.roomID == event.roomID else {
        throw MatrixError(.badAlias, "Room alias \(text) does not point to the room")
      }
    }
  }

  /// Lists the aliases of a canonical alias event, as they are written.
  private static func aliases(_ content: JSONValue?) -> (main: Text?, others: [Text]) {
    let main = content?["alias"]?.string ?? ""
    let others = content?["alt_aliases"]?.elements?.compactMap(\.string) ?? []
    return (main.isEmpty ? nil : main, others)
  }

  private func checkRedaction(_ event: Event, on chain: EventChain) async throws {
    guard let target = event.redacts else { throw MatrixError.missingParam("Missing redacts") }
    let original = try await stores.events.event(target)
    if let original {
      if original.roomID != event.roomID {
        throw MatrixError.unknown("Cannot redact event from a different room", status: 400)
      }
      if original.type == "m.room.create" {
        throw MatrixError.forbidden("Redacting create events is not permitted")
      }
      if original.type == "m.room.server_acl" {
        throw MatrixError.forbidden("Redacting server ACL events is not permitted")
      }
    }
    let powers = try await chain.stateEvents(
      [StateKey("m.room.create"), StateKey("m.room.power_levels")], state)
    let levels = PowerLevels(
      create: powers[StateKey("m.room.create")], powerLevels: powers[StateKey("m.room.power_levels")])
    guard levels.level(of: event.sender) < levels.redact else { return }
    guard let original else { throw MatrixError.notFound("Could not find event \(target.rawValue)") }
    guard original.sender == event.sender else {
      throw MatrixError.forbidden("You don't have permission to redact events")
    }
  }
}
