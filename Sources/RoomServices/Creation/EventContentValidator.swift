import MatrixEvents
import MatrixPrimitives
import Stores

/// The check for events that this server will not create, though other servers may: stricter than the authorisation
/// rules.
///
/// The rules are those that Synapse 1.163.2 was observed to apply to events of its own users.
struct EventContentValidator: Sendable {
  /// The server that an access control list must not lock out.
  let serverName: Text

  static let canonicalIntegers: ClosedRange<Int64> = -9_007_199_254_740_991...9_007_199_254_740_991
  static let longestName = 255

  /// Checks a draft.
  ///
  /// - Throws: `MatrixError` 400 or 413 with the reason.
  func check(_ draft: ClientEventDraft, version: RoomVersion) throws(MatrixError) {
    try checkSizes(draft)
    guard case .object = draft.content else { throw MatrixError.badJSON("Content must be an object") }
    switch draft.type {
    case "m.room.message": try requireStrings(draft, ["body", "msgtype"])
    case "m.room.topic":
      try requireStrings(draft, ["topic"])
      try requireState(draft)
    case "m.room.name":
      try requireStrings(draft, ["name"])
      try requireState(draft)
    case "m.room.member": try checkMember(draft)
    case "m.room.tombstone": try checkTombstone(draft)
    case "m.room.aliases": try checkAliases(draft)
    case "m.room.retention": try checkRetention(draft)
    case "m.room.server_acl": try checkServerACL(draft)
    case "m.room.power_levels": try checkPowerLevels(draft.content)
    case "m.room.canonical_alias": try checkCanonicalAlias(draft.content)
    case "m.room.encryption" where draft.stateKey != nil: break
    default: break
    }
    if let mentions = draft.content["m.mentions"] { try checkMentions(mentions) }
  }

  private func checkSizes(_ draft: ClientEventDraft) throws(MatrixError) {
    for (name, text) in [("type", draft.type), ("state_key", draft.stateKey ?? "")]
    where text.utf8.count > Self.longestName {
      throw MatrixError.tooLarge("\(name) too large")
    }
    if let time = draft.originServerTS, !Self.canonicalIntegers.contains(time) {
      throw MatrixError.invalidParam("ts is out of range")
    }
  }

  private func requireState(_ draft: ClientEventDraft) throws(MatrixError) {
    if draft.stateKey == nil { throw .unknown("'\(draft.type)' must be state events", status: 400) }
  }

  private func requireStrings(_ draft: ClientEventDraft, _ keys: [Text]) throws(MatrixError) {
    for key in keys {
      guard let value = draft.content[key] else { throw .unknown("'\(key)' not in content", status: 400) }
      guard value.string != nil else { throw .unknown("'\(key)' not a string type", status: 400) }
    }
  }

  private func checkMember(_ draft: ClientEventDraft) throws(MatrixError) {
    guard let membership = draft.content["membership"] else {
      throw .unknown("Content has not membership key", status: 400)
    }
    guard let name = membership.string, Membership(rawValue: name) != nil else {
      throw .unknown("Invalid membership key", status: 400)
    }
    try requireState(draft)
    guard let stateKey = draft.stateKey, UserID(stateKey) != nil else {
      throw .badJSON("Invalid user ID as state key")
    }
  }

  private func checkTombstone(_ draft: ClientEventDraft) throws(MatrixError) {
    guard let replacement = draft.content["replacement_room"] else {
      throw .unknown("Content has no replacement_room key", status: 400)
    }
    if replacement.string == draft.roomID.rawValue {
      throw .unknown("Tombstone cannot reference the room it was sent in", status: 400)
    }
    try requireState(draft)
  }

  private func checkAliases(_ draft: ClientEventDraft) throws(MatrixError) {
    guard let aliases = draft.content["aliases"] else { return }
    guard let elements = aliases.elements else { throw .badJSON("'aliases' is not a list") }
    for alias in elements {
      guard let text = alias.string else { throw .badJSON("'aliases' contains something other than strings") }
      if text.utf8.count > Self.longestName {
        throw .invalidParam("Can't create aliases longer than \(Self.longestName) characters")
      }
    }
  }

  private func checkRetention(_ draft: ClientEventDraft) throws(MatrixError) {
    if draft.stateKey == nil { throw .unknown("must be a state event", status: 400) }
    var bounds: [Int64?] = []
    for key in ["min_lifetime", "max_lifetime"] {
      guard let value = draft.content[key], value != .null else {
        bounds.append(nil)
        continue
      }
      guard case .integer(let lifetime) = value else { throw .badJSON("'\(key)' must be an integer") }
      bounds.append(lifetime)
    }
    if let least = bounds[0], let most = bounds[1], least > most {
      throw .badJSON("'min_lifetime' can't be greater than 'max_lifetime'")
    }
  }

  private func checkServerACL(_ draft: ClientEventDraft) throws(MatrixError) {
    try requireState(draft)
    let content: JSONValue
    do {
      content = try draft.content.document()
    } catch {
      throw .badJSON("The content is not valid JSON: \(error)")
    }
    if !ServerACL(content: content).allows(serverName) {
      throw .unknown("Can't create an ACL event that denies the local server", status: 400)
    }
  }

  /// Checks the content of a power levels event: integers within the range of canonical JSON, nothing else.
  func checkPowerLevels(_ content: JSON) throws(MatrixError) {
    for key in ["ban", "events_default", "invite", "kick", "redact", "state_default", "users_default"] {
      guard let value = content[key] else { continue }
      try checkLevel(value, key)
    }
    for key in ["events", "notifications", "users"] {
      guard let value = content[key] else { continue }
      guard let members = value.members else { throw .badJSON("\"\(key)\": not of type 'object'") }
      for (name, level) in members { try checkLevel(level, name) }
    }
  }

  private func checkLevel(_ value: JSON, _ key: Text) throws(MatrixError) {
    guard case .integer(let level) = value else { throw .badJSON("\"\(key)\": not of type 'integer'") }
    guard Self.canonicalIntegers.contains(level) else { throw .badJSON("\"\(key)\": integer out of range") }
  }

  private func checkCanonicalAlias(_ content: JSON) throws(MatrixError) {
    if let alias = content["alias"], alias != .null, alias.string == nil {
      throw .invalidParam("The alias must be of type string.")
    }
    guard let others = content["alt_aliases"] else { return }
    guard let elements = others.elements else { throw .invalidParam("The alt_aliases property must be a list.") }
    for element in elements where element.string == nil {
      throw .invalidParam("Each alt_alias must be of type string.")
    }
  }

  private func checkMentions(_ mentions: JSON) throws(MatrixError) {
    guard case .object = mentions else { throw .badJSON("\"m.mentions\": not of type 'object'") }
    if let users = mentions["user_ids"] {
      guard let elements = users.elements else { throw .badJSON("\"user_ids\": not of type 'array'") }
      for element in elements where element.string == nil { throw .badJSON("\"user_ids\": not of type 'string'") }
    }
    if let room = mentions["room"], room.bool == nil { throw .badJSON("\"room\": not of type 'boolean'") }
  }
}
