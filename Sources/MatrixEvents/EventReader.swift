import MatrixPrimitives

/// The reader of an event's JSON, which checks its shape.
///
/// Source of the limits: the specification's "Size limits" and the PDU schemas (20 previous events, 10 auth events).
struct EventReader {
  static let maximumSize = 65_536
  static let maximumPrevEvents = 20
  static let maximumAuthEvents = 10

  let value: JSONValue
  let version: RoomVersion

  mutating func read(eventID knownID: EventID?) throws(EventError) -> Event {
    guard value.kind == .object else { throw malformed("An event must be a JSON object.") }
    let type = try string("type", maximumBytes: 255)
    let stateKey = try stateKey()
    let sender = try sender()
    let content = try object("content")
    guard let timestamp = value["origin_server_ts"]?.integer else {
      throw malformed("'origin_server_ts' must be an integer.")
    }
    let depth = try depth()
    try checkReferences("prev_events", maximum: Self.maximumPrevEvents)
    try checkReferences("auth_events", maximum: Self.maximumAuthEvents)
    try checkOptionalObjects()
    if knownID == nil { try checkSize() }
    let eventID: EventID
    if let knownID { eventID = knownID } else { eventID = try computedID() }
    let roomID = try roomID(type: type, stateKey: stateKey, eventID: eventID)
    return Event(
      eventID: eventID, roomID: roomID, type: type, stateKey: stateKey, sender: sender, content: content,
      originServerTS: timestamp, depth: depth, redacts: redacts(type: type, content: content), version: version,
      json: value)
  }

  private func malformed(_ message: Text) -> EventError { EventError(.malformed, message) }

  private func string(_ key: Text, maximumBytes: Int) throws(EventError) -> Text {
    guard let text = value[key]?.string else { throw malformed("'\(key)' must be a string.") }
    try checkLength(text, key, maximumBytes: maximumBytes)
    return text
  }

  /// Room versions before 11 limit code points; bytes there are let through up to what 255 code points can have.
  private func checkLength(_ text: Text, _ key: Text, maximumBytes: Int) throws(EventError) {
    guard text.utf8.count > maximumBytes else { return }
    if !version.hasStrictByteLimits, text.unicodeScalars.count <= maximumBytes { return }
    throw EventError(.tooLarge, "'\(key)' must be at most \(maximumBytes) bytes long.")
  }

  private func stateKey() throws(EventError) -> Text? {
    guard value["state_key"] != nil else { return nil }
    return try string("state_key", maximumBytes: 255)
  }

  private func sender() throws(EventError) -> UserID {
    let text = try string("sender", maximumBytes: 255)
    let bytes = text.utf8
    guard bytes.first == UInt8(ascii: "@"), let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
      bytes.index(after: colon) != bytes.endIndex, !bytes.contains(0)
    else { throw malformed("'sender' must be a user id.") }
    return UserID(unchecked: text)
  }

  private func object(_ key: Text) throws(EventError) -> JSONValue {
    guard let member = value[key], member.kind == .object else { throw malformed("'\(key)' must be an object.") }
    return member
  }

  /// Strict canonical JSON bounds depth at 2^53 − 1; older versions at what 64 bits hold.
  private func depth() throws(EventError) -> Int64 {
    let limit = version.isCanonicalJSONStrict ? CanonicalJSON.maximumInteger : Int64.max
    guard let depth = value["depth"]?.integer, (0...limit).contains(depth) else {
      throw malformed("'depth' must be an integer from 0 to \(limit).")
    }
    return depth
  }

  private func checkReferences(_ key: Text, maximum: Int) throws(EventError) {
    guard let elements = value[key]?.elements else { throw malformed("'\(key)' must be an array.") }
    var count = 0
    for element in elements {
      guard let id = Self.reference(element, version), EventID.isValid(id) else {
        throw malformed("'\(key)' must hold event ids.")
      }
      count += 1
      guard count <= maximum else { throw malformed("'\(key)' must have at most \(maximum) entries.") }
    }
  }

  /// Returns the id in a reference; versions 1 and 2 write each as a pair of id and hashes.
  private static func reference(_ element: JSONValue, _ version: RoomVersion) -> JSONValue? {
    version.eventIDFormat == .chosen ? element[0] : element
  }

  /// Reads the references of an event that has been checked, and puts one more at their end.
  static func references(
    _ key: Text, of event: JSONValue, version: RoomVersion, and last: EventID? = nil
  ) -> [EventID] {
    guard let elements = event[key]?.elements else { return [] }
    var ids: [EventID] = []
    ids.reserveCapacity(elements.count + 1)
    for element in elements {
      if let id = reference(element, version)?.string { ids.append(EventID(unchecked: id)) }
    }
    if let last { ids.append(last) }
    return ids
  }

  private func checkOptionalObjects() throws(EventError) {
    for key in ["hashes", "signatures", "unsigned"] {
      if let member = value[key], member.kind != .object { throw malformed("'\(key)' must be an object.") }
    }
  }

  /// Checks the canonical form and its size. `unsigned` counts for the size, but may be anything: no hash covers it.
  private func checkSize() throws(EventError) {
    if version.isCanonicalJSONStrict, value.containsNonIntegers(outside: "unsigned") {
      throw EventError(.notCanonical, "Numbers in events of room version \(version) must be integers.")
    }
    do {
      var size = try CanonicalJSON.encode(value, omitting: ["unsigned"], strict: version.isCanonicalJSONStrict).count
      if let unsigned = value["unsigned"] {
        size += try CanonicalJSON.encode(unsigned, strict: false).count + #","unsigned":"#.utf8.count
      }
      guard size <= Self.maximumSize else {
        throw EventError(.tooLarge, "The event is larger than \(Self.maximumSize) bytes.")
      }
    } catch let error as JSONError {
      throw EventError(error)
    } catch let error as EventError {
      throw error
    } catch {
      throw EventError(.notCanonical, "The event has no canonical JSON form.")
    }
  }

  private func computedID() throws(EventError) -> EventID {
    guard version.eventIDFormat == .chosen else { return try ReferenceHash.eventID(of: value, version: version) }
    let id = EventID(unchecked: try identifier("event_id", sigil: "$"))
    guard id.serverName != nil else { throw malformed("'event_id' must be an event id with a server name.") }
    return id
  }

  private func roomID(type: Text, stateKey: Text?, eventID: EventID) throws(EventError) -> RoomID {
    if version.isRoomIDCreateHash, type == EventType.create, stateKey == "" {
      guard value["room_id"] == nil else {
        throw malformed("A create event of room version \(version) must not have a room id.")
      }
      return RoomID(unchecked: "!" + eventID.rawValue.dropFirst())
    }
    return RoomID(unchecked: try identifier("room_id", sigil: "!"))
  }

  /// Reads an id whose length is limited as the room version wants it, which may be more bytes than ids have elsewhere.
  private func identifier(_ key: Text, sigil: Unicode.Scalar) throws(EventError) -> Text {
    let text = try string(key, maximumBytes: 255)
    guard text.unicodeScalars.first == sigil, text.utf8.count > 1, !text.utf8.contains(0) else {
      throw malformed("'\(key)' must be an id that begins with '\(sigil)'.")
    }
    return text
  }

  private func redacts(type: Text, content: JSONValue) -> EventID? {
    guard type == EventType.redaction else { return nil }
    let member = version.hasRedactsInContent ? content["redacts"] : value["redacts"]
    return member?.string.flatMap { EventID($0) }
  }
}
