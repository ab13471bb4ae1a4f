import MatrixEvents
import MatrixPrimitives
import ServerConfig

/// The events with which a room begins, in the order in which Synapse was observed to send them.
struct InitialEvents: Sendable {
  let request: RoomCreationRequest
  let creator: UserID
  let invited: [UserID]
  let alias: RoomAlias?
  let profile: LocalUsers.Profile
  let rooms: RoomSettings

  private var creatorsHavePower: Bool { request.version.hasCreatorPower }

  /// Checks what concerns several members of the request.
  func check() throws(MatrixError) {
    if let users = request.powerLevels["users"] {
      guard let members = users.members else { throw .badJSON("'users' must be an object") }
      if creatorsHavePower, members[creator.rawValue] != nil {
        throw .badJSON("Not a valid power_level_content_override: 'users' contains the creator \(creator.rawValue)")
      }
      if !creatorsHavePower, members[creator.rawValue] == nil {
        throw .unknown(
          "Not a valid power_level_content_override: 'users' did not contain \(creator.rawValue)", status: 400)
      }
    }
    for key in ["creator", "room_version"] {
      if let value = request.creationContent[key], value.string == nil { throw .badJSON("\(key) must be a string") }
    }
    if let federates = request.creationContent["m.federate"], federates.bool == nil {
      throw .badJSON("m.federate must be a boolean")
    }
    if let others = request.creationContent["additional_creators"] {
      guard let elements = others.elements else { throw .badJSON("additional_creators must be a list") }
      guard elements.allSatisfy({ $0.string.flatMap { UserID($0) }?.hasValidServerName ?? false }) else {
        throw .invalidParam("additional_creators must hold user ids")
      }
    }
  }

  /// The content of `m.room.create`.
  var createContent: JSON {
    var content = request.creationContent
    content["room_version"] = .string(request.version.identifier)
    if !request.version.isCreatorImplicit { content["creator"] = .string(creator.rawValue) }
    if creatorsHavePower, request.preset.givesInvitedPower, !invited.isEmpty {
      var others = content["additional_creators"]?.elements?.compactMap(\.string) ?? []
      let named = Set(others.compactMap { UserID($0) })
      others += invited.filter { !named.contains($0) }.map(\.rawValue)
      content["additional_creators"] = .array(others.map { .string($0) })
    }
    return .object(content)
  }

  /// Makes all that follows the first event.
  func afterCreation() throws(MatrixError) -> [(StateKey, JSON)] {
    var events: [(StateKey, JSON)] = [(StateKey("m.room.member", creator.rawValue), joinContent)]
    let powerKey = StateKey("m.room.power_levels")
    let given = request.initialState.first { $0.key == powerKey }?.content
    events.append((powerKey, given ?? .object(powerLevels())))
    if let alias, !request.contains("m.room.canonical_alias") {
      events.append((StateKey("m.room.canonical_alias"), ["alias": .string(alias.rawValue)]))
    }
    if !request.contains("m.room.join_rules") {
      events.append((StateKey("m.room.join_rules"), ["join_rule": .string(request.preset.joinRule)]))
    }
    if !request.contains("m.room.history_visibility") {
      events.append((StateKey("m.room.history_visibility"), ["history_visibility": "shared"]))
    }
    if request.preset.guestsCanJoin, !request.contains("m.room.guest_access") {
      events.append((StateKey("m.room.guest_access"), ["guest_access": "can_join"]))
    }
    for entry in request.initialState where entry.key != powerKey {
      if entry.key.type == "m.room.create" { throw .invalidParam("initial_state may not hold m.room.create") }
      events.append((entry.key, entry.content))
    }
    if let encryption { events.append((StateKey("m.room.encryption"), encryption)) }
    if let name = request.name { events.append((StateKey("m.room.name"), ["name": .string(name)])) }
    if let topic = request.topic {
      let text: JSON = ["m.text": [["body": .string(topic)]]]
      events.append((StateKey("m.room.topic"), ["topic": .string(topic), "m.topic": text]))
    }
    return events
  }

  private var joinContent: JSON {
    var content: [Text: JSON] = ["membership": "join"]
    if let name = profile.displayName { content["displayname"] = .string(name) }
    if let url = profile.avatarURL { content["avatar_url"] = .string(url) }
    return .object(content)
  }

  /// The content of the encryption event that the configuration asks for, unless the request brings a valid one.
  private var encryption: JSON? {
    guard rooms.encryptedPresets.contains(request.preset.rawValue) else { return nil }
    let given = request.initialState.first { $0.key == StateKey("m.room.encryption") }
    return given?.content["algorithm"]?.string == nil ? ["algorithm": "m.megolm.v1.aes-sha2"] : nil
  }

  private func powerLevels() -> [Text: JSON] {
    var users: [Text: JSON] = creatorsHavePower ? [:] : [creator.rawValue: 100]
    if request.preset.givesInvitedPower, !creatorsHavePower {
      for user in invited { users[user.rawValue] = 100 }
    }
    var levels: [Text: JSON] = [
      "users": .object(users), "users_default": 0, "events_default": 0, "state_default": 50, "ban": 50, "kick": 50,
      "redact": 50, "invite": 50, "historical": 100,
      "events": [
        "m.room.name": 50, "m.room.power_levels": 100, "m.room.history_visibility": 100, "m.room.canonical_alias": 50,
        "m.room.avatar": 50, "m.room.tombstone": creatorsHavePower ? 150 : 100, "m.room.server_acl": 100,
        "m.room.encryption": 100,
      ],
    ]
    request.preset.adjust(&levels)
    let configured = rooms.defaultPowerLevelOverride?[request.preset.rawValue]?.members ?? [:]
    for (key, value) in configured { levels[key] = value }
    for (key, value) in request.powerLevels { levels[key] = value }
    return levels
  }
}
