import MatrixPrimitives

/// The settings of making and listing rooms.
public struct RoomSettings: Sendable {
  /// The room version of rooms created without one.
  public var defaultRoomVersion: Text
  /// The presets whose rooms start encrypted.
  public var encryptedPresets: Set<Text>
  /// The parts of new rooms' power levels that are replaced, by preset; nil or an object of objects.
  public var defaultPowerLevelOverride: JSON?
  /// Whether a room is forgotten for users who leave it.
  public var forgetsOnLeave: Bool
  /// Whether a member event may carry another name or avatar than the profile.
  public var allowsPerRoomProfiles: Bool
  /// Whether invitations by users who are no administrators are refused.
  public var blocksNonAdminInvites: Bool
  /// Whether only members may add an alias to a room.
  public var aliasesRequireMembership: Bool
  /// The time for which the content of redacted events stays in the database, in milliseconds; nil without limit
  /// (`redaction_retention_period`).
  public var redactionRetentionMilliseconds: Int64?
  /// Whether searches of the room directory are answered.
  public var allowsListSearch: Bool
  /// Whether the room directory is shown without a login.
  public var allowsPublicListWithoutAuth: Bool
  /// The rules about who may create which alias.
  public var aliasCreationRules: DirectoryRules
  /// The rules about who may list which room in the directory.
  public var listPublicationRules: DirectoryRules
  /// The rooms that sync leaves out.
  public var excludedFromSync: Set<RoomID>
  /// The rooms whose members see nothing of each other's presence unless they share another one.
  public var excludedFromPresence: Set<RoomID>
  /// The state that invited and knocking users are shown, in addition to the create event; a nil key means any.
  public var prejoinState: [PrejoinStateType]
  /// Whether messages are kept searchable.
  public var allowsSearch: Bool
  /// The longest time after which an event is sent that is to be sent later, in milliseconds; 0 where none may be
  /// (`max_event_delay_duration`).
  public var longestEventDelayMilliseconds: Int64
  /// The greatest number of a user's events that are to be sent later.
  public var mostDelayedEvents: Int

  /// The acceptance of invitations in the name of those invited.
  public var inviteAcceptance: InviteAcceptanceSettings

  /// Whether events may be sent later.
  public var allowsDelayedEvents: Bool { longestEventDelayMilliseconds > 0 && mostDelayedEvents > 0 }

  /// State that is shown before joining.
  public struct PrejoinStateType: Sendable, Hashable {
    /// The event type.
    public var type: Text
    /// The state key; nil means every key.
    public var stateKey: Text?
  }

  static let presets = ["private_chat", "trusted_private_chat", "public_chat"]
  static let knownVersions =
    (1...12).map(Text.init) + ["org.matrix.msc3757.10", "org.matrix.msc3757.11", "org.matrix.hydra.11"]

  init(_ root: SettingsSection) throws(ConfigError) {
    defaultRoomVersion = try root.text("default_room_version") ?? "12"
    guard Self.knownVersions.contains(defaultRoomVersion) else {
      throw root.fail("default_room_version", "found \"\(defaultRoomVersion)\", expected a version from 1 to 12")
    }
    encryptedPresets = try Self.encryptedPresets(root)
    defaultPowerLevelOverride = root.json("default_power_level_content_override")
    for (name, value) in try root.entries("default_power_level_content_override") {
      guard Self.presets.contains(name) else {
        throw root.fail(
          "default_power_level_content_override", "found \"\(name)\", expected " + Self.presets.joined(separator: ", "))
      }
      guard value.isNull || value.mapping != nil else {
        throw root.fail("default_power_level_content_override.\(name)", value, expected: "a mapping")
      }
    }
    forgetsOnLeave = try root.bool("forget_rooms_on_leave", false)
    allowsPerRoomProfiles = try root.bool("allow_per_room_profiles", true)
    blocksNonAdminInvites = try root.bool("block_non_admin_invites", false)
    aliasesRequireMembership = try root.bool("require_membership_for_aliases", true)
    redactionRetentionMilliseconds =
      root.isNull("redaction_retention_period")
      ? nil : try root.milliseconds("redaction_retention_period", 7 * 86_400_000)
    allowsListSearch = try root.bool("enable_room_list_search", true)
    let restricted = try root.bool("restrict_public_rooms_to_local_users", false)
    let withoutAuth = try root.bool("allow_public_rooms_without_auth", false)
    allowsPublicListWithoutAuth = withoutAuth && !restricted
    aliasCreationRules = try DirectoryRules(root, "alias_creation_rules", standard: [.allowAll])
    listPublicationRules = try DirectoryRules(root, "room_list_publication_rules", standard: [])
    excludedFromSync = try Self.roomIDs(root, "exclude_rooms_from_sync")
    excludedFromPresence = try Self.roomIDs(root, "exclude_rooms_from_presence")
    prejoinState = try Self.prejoinState(root)
    allowsSearch = try root.bool("enable_search", true)
    longestEventDelayMilliseconds = try root.milliseconds("max_event_delay_duration", 0)
    guard longestEventDelayMilliseconds > 0 || !root.has("max_event_delay_duration") else {
      throw root.fail("max_event_delay_duration", "found \(longestEventDelayMilliseconds), expected more than 0")
    }
    let experiments = root.json("experimental_features") ?? .object([:])
    let most = experiments["msc4140_max_delayed_events_per_user"] ?? 100
    guard case .integer(let number) = most, let count = Int(exactly: number), count >= 0 else {
      throw root.fail("experimental_features.msc4140_max_delayed_events_per_user", "expected a number from 0 on")
    }
    mostDelayedEvents = count
    inviteAcceptance = try InviteAcceptanceSettings(root)
  }

  private static func encryptedPresets(_ root: SettingsSection) throws(ConfigError) -> Set<Text> {
    let key = "encryption_enabled_by_default_for_room_type"
    guard let node = root.node(key) else { return [] }
    // Unquoted, YAML takes `off` for false.
    if node.bool == false { return [] }
    switch node.string {
    case "off": return []
    case "invite": return ["private_chat", "trusted_private_chat"]
    case "all": return Set(presets)
    default: throw root.fail(key, node, expected: "all, invite or off")
    }
  }

  private static func roomIDs(_ root: SettingsSection, _ key: Text) throws(ConfigError) -> Set<RoomID> {
    var result: Set<RoomID> = []
    for text in try root.strings(key) {
      guard let roomID = RoomID(text) else { throw root.fail(key, "found \"\(text)\", expected room ids") }
      result.insert(roomID)
    }
    return result
  }

  private static func prejoinState(_ root: SettingsSection) throws(ConfigError) -> [PrejoinStateType] {
    let section = try root.section("room_prejoin_state")
    var result = [PrejoinStateType(type: "m.room.create", stateKey: "")]
    let legacy = try root.strings("room_invite_state_types")
    if !legacy.isEmpty { return result + legacy.map { PrejoinStateType(type: $0, stateKey: nil) } }
    if try !section.bool("disable_default_event_types", false) {
      result += ["join_rules", "canonical_alias", "avatar", "encryption", "name", "topic"]
        .map { PrejoinStateType(type: "m.room.\($0)", stateKey: "") }
    }
    for node in try section.list("additional_event_types") {
      if let type = node.string {
        result.append(PrejoinStateType(type: type, stateKey: nil))
      } else if let pair = node.elements, pair.count == 2, let type = pair[0].string, let key = pair[1].string {
        result.append(PrejoinStateType(type: type, stateKey: key))
      } else {
        throw section.fail(
          "additional_event_types", node, expected: "an event type or a list of a type and a state key")
      }
    }
    return result
  }
}
