import MatrixPrimitives

/// The reduction of events to what their room version keeps, which is also what signatures and event ids cover.
///
/// Source: the "Redactions" section of each room version.
public enum Redaction {
  /// Encodes the redacted form of an event canonically, with `hashes`, `signatures` and what servers keep of `unsigned`.
  /// - Throws: `EventError` if the event has no canonical form.
  public static func redact(_ event: JSONValue, version: RoomVersion) throws(EventError) -> [UInt8] {
    try encode(event, version: version, omitting: [], keepsUnsigned: true)
  }

  /// Encodes the bytes that signatures and the reference hash are computed over.
  static func signedBytes(of event: JSONValue, version: RoomVersion) throws(EventError) -> [UInt8] {
    try encode(event, version: version, omitting: ["signatures"], keepsUnsigned: false)
  }

  private static func encode(
    _ event: JSONValue, version: RoomVersion, omitting: Set<Text>, keepsUnsigned: Bool
  ) throws(EventError) -> [UInt8] {
    let strict = version.isCanonicalJSONStrict
    var writer = JSONWriter(capacity: 1024)
    writer.beginObject()
    do {
      for key in version.hasUpdatedRedactionRules ? keptKeys : keptKeysBefore11 where !omitting.contains(key) {
        if key == "unsigned" {
          if keepsUnsigned { try writeUnsigned(event, to: &writer) }
          continue
        }
        guard let member = event[key] else { continue }
        writer.key(key)
        if key == "content" {
          try writeContent(member, type: event["type"]?.string ?? "", version: version, to: &writer)
        } else {
          writer.raw(try CanonicalJSON.encode(member, strict: strict))
        }
      }
    } catch {
      throw EventError(error)
    }
    writer.endObject()
    return writer.bytes
  }

  /// In canonical order.
  private static let keptKeys = [
    "auth_events", "content", "depth", "event_id", "hashes", "origin_server_ts", "prev_events", "room_id", "sender",
    "signatures", "state_key", "type", "unsigned",
  ]

  private static let keptKeysBefore11 = [
    "auth_events", "content", "depth", "event_id", "hashes", "membership", "origin", "origin_server_ts", "prev_events",
    "prev_state", "room_id", "sender", "signatures", "state_key", "type", "unsigned",
  ]

  /// Keeps what the receiving server itself noted; observed on Synapse's stored events. No hash covers it, so its numbers may be any.
  private static func writeUnsigned(_ event: JSONValue, to writer: inout JSONWriter) throws(JSONError) {
    guard let unsigned = event["unsigned"], unsigned.kind == .object else { return }
    writer.key("unsigned")
    try writeMembers(["age_ts", "replaces_state"], of: unsigned, strict: false, to: &writer)
  }

  private static func writeContent(
    _ content: JSONValue, type: Text, version: RoomVersion, to writer: inout JSONWriter
  ) throws(JSONError) {
    let strict = version.isCanonicalJSONStrict
    guard content.kind == .object else {
      writer.raw(Array("{}".utf8))
      return
    }
    if type == EventType.create, version.hasUpdatedRedactionRules {
      writer.raw(try CanonicalJSON.encode(content, strict: strict))
    } else if type == EventType.member {
      try writeMembership(content, version: version, to: &writer)
    } else {
      try writeMembers(keptContentKeys(of: type, version: version), of: content, strict: strict, to: &writer)
    }
  }

  /// Lists the kept keys of a type's content in canonical order.
  private static func keptContentKeys(of type: Text, version: RoomVersion) -> [Text] {
    switch type {
    case EventType.create: ["creator"]
    case EventType.joinRules: version.allowsRestrictedJoins ? ["allow", "join_rule"] : ["join_rule"]
    case EventType.powerLevels:
      version.hasUpdatedRedactionRules
        ? [
          "ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default",
        ]
        : ["ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"]
    case EventType.aliases: version.hasAliasesRules ? ["aliases"] : []
    case EventType.historyVisibility: ["history_visibility"]
    case EventType.redaction: version.hasRedactsInContent ? ["redacts"] : []
    default: []
    }
  }

  private static func writeMembership(
    _ content: JSONValue, version: RoomVersion, to writer: inout JSONWriter
  ) throws(JSONError) {
    let strict = version.isCanonicalJSONStrict
    writer.beginObject()
    if version.keepsAuthorisingUser, let user = content["join_authorised_via_users_server"] {
      writer.key("join_authorised_via_users_server")
      writer.raw(try CanonicalJSON.encode(user, strict: strict))
    }
    if let membership = content["membership"] {
      writer.key("membership")
      writer.raw(try CanonicalJSON.encode(membership, strict: strict))
    }
    if version.hasUpdatedRedactionRules, let invite = content["third_party_invite"], invite.kind == .object {
      // Other servers keep an empty object where there is no `signed`, and the event id depends on it.
      writer.key("third_party_invite")
      try writeMembers(["signed"], of: invite, strict: strict, to: &writer)
    }
    writer.endObject()
  }

  private static func writeMembers(
    _ keys: [Text], of object: JSONValue, strict: Bool, to writer: inout JSONWriter
  ) throws(JSONError) {
    writer.beginObject()
    for key in keys {
      guard let member = object[key] else { continue }
      writer.key(key)
      writer.raw(try CanonicalJSON.encode(member, strict: strict))
    }
    writer.endObject()
  }
}
