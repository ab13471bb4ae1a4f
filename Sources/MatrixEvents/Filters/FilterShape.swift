import MatrixPrimitives

/// The shape that a filter of a client must have; unknown members are allowed.
///
/// A shape that is wrong is answered by 400 `M_UNKNOWN` with the path of the first such member, as on Synapse.
struct FilterShape {
  /// The largest filter, in bytes as sent.
  private static let largestSize = 65_536
  /// The greatest number of event types, labels, relation types or fields in a list: each is compared with every event.
  private static let mostPatterns = 500
  private static let booleans = [
    "contains_url", "lazy_load_members", "include_redundant_members", "unread_thread_notifications",
    "org.matrix.msc3773.unread_thread_notifications",
  ]

  /// Whether null is refused, and ids of another form.
  let isStrict: Bool

  /// Parses a filter that a client sends as text.
  ///
  /// - Throws: 400 `M_NOT_JSON`, 413 `M_TOO_LARGE`.
  static func parse(_ text: Text) throws(MatrixError) -> JSONValue {
    guard text.utf8.count <= largestSize else { throw tooLarge(text.utf8.count) }
    do { return try JSONValue.parse(text) } catch { throw .notJSON("Invalid filter JSON") }
  }

  /// Checks a whole filter.
  func check(_ json: JSONValue) throws(MatrixError) {
    guard json.raw.count <= Self.largestSize else { throw Self.tooLarge(json.raw.count) }
    try object(json, "filter")
    try definition(json["presence"], "presence", isRoom: false)
    try definition(json["account_data"], "account_data", isRoom: false)
    try room(json["room"])
    try format(json["event_format"])
    try patterns(json["event_fields"], "event_fields")
  }

  /// Checks a definition that stands alone.
  func check(definition json: JSONValue) throws(MatrixError) {
    try object(json, "filter")
    try definition(json, nil, isRoom: true)
  }

  private func room(_ json: JSONValue?) throws(MatrixError) {
    guard let json = present(json) else { return }
    try object(json, "room")
    try strings(json["rooms"], "room.rooms", "a room ID") { RoomID($0) != nil }
    try strings(json["not_rooms"], "room.not_rooms", "a room ID") { RoomID($0) != nil }
    try boolean(json["include_leave"], "room.include_leave")
    for name in ["ephemeral", "state", "timeline", "account_data"] {
      try definition(json[name], "room.\(name)", isRoom: true)
    }
  }

  private func definition(_ json: JSONValue?, _ path: Text?, isRoom: Bool) throws(MatrixError) {
    guard let json = present(json) else { return }
    let prefix: Text = path.map { "\($0)." } ?? ""
    try object(json, path ?? "filter")
    if let limit = present(json["limit"]), limit.double == nil { throw Self.invalid("\(prefix)limit", "a number") }
    for name in ["senders", "not_senders"] {
      try strings(json[name], "\(prefix)\(name)", "a user ID") { UserID($0) != nil }
    }
    for name in ["types", "not_types"] { try patterns(json[name], "\(prefix)\(name)") }
    guard isRoom else { return }
    for name in ["rooms", "not_rooms"] {
      try strings(json[name], "\(prefix)\(name)", "a room ID") { RoomID($0) != nil }
    }
    for name in Self.booleans { try boolean(json[name], "\(prefix)\(name)") }
    for name in ["org.matrix.labels", "org.matrix.not_labels", "related_by_senders", "related_by_rel_types"] {
      try patterns(json[name], "\(prefix)\(name)")
    }
  }

  // MARK: Kinds

  private func present(_ json: JSONValue?) -> JSONValue? {
    !isStrict && json?.isNull == true ? nil : json
  }

  private func object(_ json: JSONValue, _ path: Text) throws(MatrixError) {
    guard json.kind == .object else { throw Self.invalid(path, "an object") }
  }

  private func format(_ json: JSONValue?) throws(MatrixError) {
    guard let json = present(json) else { return }
    guard json.string == "client" || json.string == "federation" else {
      throw Self.invalid("event_format", "'client' or 'federation'")
    }
  }

  private func boolean(_ json: JSONValue?, _ path: Text) throws(MatrixError) {
    if let json = present(json), json.bool == nil { throw Self.invalid(path, "a boolean") }
  }

  private func patterns(_ json: JSONValue?, _ path: Text) throws(MatrixError) {
    try strings(json, path, "a string") { _ in true }
    if let count = json?.elements?.count, count > Self.mostPatterns {
      throw .unknown("Invalid filter: '\(path)' has more than \(Self.mostPatterns) elements.", status: 400)
    }
  }

  private func strings(
    _ json: JSONValue?, _ path: Text, _ expected: Text, _ isValid: (Text) -> Bool
  ) throws(MatrixError) {
    guard let json = present(json) else { return }
    guard let elements = json.elements else { throw Self.invalid(path, "an array") }
    for element in elements {
      guard let text = element.string, !isStrict || isValid(text) else {
        throw Self.invalid(path, "an array in which each is \(expected)")
      }
    }
  }

  private static func invalid(_ path: Text, _ expected: Text) -> MatrixError {
    .unknown("Invalid filter: '\(path)' must be \(expected).", status: 400)
  }

  private static func tooLarge(_ size: Int) -> MatrixError {
    .tooLarge("The filter is too large (\(size) bytes > \(largestSize) bytes)")
  }
}
