import MatrixEvents
import MatrixPrimitives

/// The body of `/createRoom`, checked.
public struct RoomCreationRequest: Sendable {
  struct StateEntry: Sendable {
    let key: StateKey
    var content: JSON
  }

  let preset: RoomPreset
  let isPublic: Bool
  let version: RoomVersion
  let aliasName: Text?
  let name: Text?
  let topic: Text?
  let invited: [UserID]
  let isDirect: Bool
  /// The given state in order; of several entries with one key the last content is at the first one's place.
  let initialState: [StateEntry]
  var creationContent: [Text: JSON]
  let powerLevels: [Text: JSON]

  /// The greatest number of users to invite, and of entries of `initial_state`: each is an event that is signed and stored.
  static let mostEntries = 1000

  /// Reads a body.
  ///
  /// - Throws: `MatrixError` 400: `M_BAD_JSON` for wrong types, `M_UNSUPPORTED_ROOM_VERSION`, `M_MISSING_PARAM` for incomplete
  ///   addresses; 403 for addresses that would need an identity server; 413 for longer lists than ``mostEntries``.
  public init(_ body: JSONValue, defaultVersion: Text) throws(MatrixError) {
    let visibility = try body.optionalString("visibility") ?? "private"
    guard visibility == "private" || visibility == "public" else {
      throw .invalidParam("'\(visibility)' is not a valid visibility")
    }
    isPublic = visibility == "public"
    let presetName = try body.optionalString("preset") ?? (isPublic ? "public_chat" : "private_chat")
    guard let preset = RoomPreset(rawValue: presetName) else {
      throw .badJSON("'\(presetName)' is not a valid preset")
    }
    self.preset = preset
    let versionName = try body.optionalString("room_version") ?? defaultVersion
    guard let version = RoomVersion.named(versionName) else {
      throw .unsupportedRoomVersion("Your homeserver does not support this room version")
    }
    self.version = version
    aliasName = try Self.aliasName(body)
    name = try body.optionalString("name")
    topic = try body.optionalString("topic")
    invited = try Self.invited(body)
    isDirect = try body.optionalBool("is_direct") ?? false
    initialState = try Self.initialState(body)
    creationContent = try body.optionalObject("creation_content")?.json.members ?? [:]
    powerLevels = try body.optionalObject("power_level_content_override")?.json.members ?? [:]
    try Self.refuseAddresses(body)
  }

  /// Makes a request of a private room with state of its own.
  init(version: RoomVersion, creationContent: [Text: JSON], initialState: [(StateKey, JSON)]) {
    (preset, isPublic, self.version) = (.privateChat, false, version)
    (aliasName, name, topic, invited, isDirect) = (nil, nil, nil, [], false)
    self.initialState = initialState.map { StateEntry(key: $0.0, content: $0.1) }
    self.creationContent = creationContent
    powerLevels = [:]
  }

  private static func aliasName(_ body: JSONValue) throws(MatrixError) -> Text? {
    guard let name = try body.optionalString("room_alias_name") else { return nil }
    if name.unicodeScalars.contains(where: { $0.properties.isWhitespace || $0.value == 0 }) {
      throw .invalidParam("Invalid characters in room alias")
    }
    if name.contains(":") {
      throw .invalidParam("':' is not permitted in the room alias name: it is the local part only.")
    }
    return name
  }

  private static func list(_ body: JSONValue, _ key: Text) throws(MatrixError) -> [JSONValue] {
    guard let elements = try body.optionalArray(key) else { return [] }
    let list = Array(elements)
    guard list.count <= mostEntries else { throw .tooLarge("'\(key)' has more than \(mostEntries) entries") }
    return list
  }

  private static func invited(_ body: JSONValue) throws(MatrixError) -> [UserID] {
    var result: [UserID] = []
    var seen: Set<UserID> = []
    for element in try Self.list(body, "invite") {
      guard let text = element.string else { throw .badJSON("'invite' contains something other than strings") }
      guard let user = UserID(text) else { throw .invalidParam("Invalid user_id: \(text)") }
      if seen.insert(user).inserted { result.append(user) }
    }
    return result
  }

  private static func initialState(_ body: JSONValue) throws(MatrixError) -> [StateEntry] {
    var entries: [StateEntry] = []
    var places: [StateKey: Int] = [:]
    for element in try Self.list(body, "initial_state") {
      guard element.kind == .object else { throw .badJSON("'initial_state' contains something other than objects") }
      let key = StateKey(try element.requireString("type"), try element.optionalString("state_key") ?? "")
      let content = try element.requireObject("content").json
      if let place = places[key] {
        entries[place].content = content
      } else {
        places[key] = entries.count
        entries.append(StateEntry(key: key, content: content))
      }
    }
    return entries
  }

  private static func refuseAddresses(_ body: JSONValue) throws(MatrixError) {
    for element in try Self.list(body, "invite_3pid") {
      guard element.kind == .object else { throw .badJSON("'invite_3pid' contains something other than objects") }
      for key in ["medium", "address", "id_server", "id_access_token"] where element[key] == nil {
        throw .missingParam(
          "all of `medium`, `address`, `id_server` and `id_access_token` are required when making a 3pid invite")
      }
      throw ThirdPartyInvites.refusal
    }
  }

  func contains(_ type: Text) -> Bool { initialState.contains { $0.key == StateKey(type) } }
}

/// The answer to invites by e-mail address or telephone number.
public enum ThirdPartyInvites {
  /// The refusal: this server looks no addresses up, as it talks to no identity server.
  public static let refusal = MatrixError(
    .threepidDenied, "Looking up third-party identifiers is denied from this server")
}
