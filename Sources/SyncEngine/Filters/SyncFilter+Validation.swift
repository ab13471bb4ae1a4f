import MatrixPrimitives

extension SyncFilter {
  /// The largest filter, in bytes as sent.
  public static let largestSize = 65_536
  /// How many event types, labels, relation types or fields a list may have: each is compared with every event.
  public static let mostPatterns = 500

  /// Checks the size and the shape of a filter as a client sent it; fields nobody knows are allowed.
  ///
  /// - Throws: 400 `M_UNKNOWN` naming the first member of a wrong shape (the code that Synapse answers with) or with too many
  ///   elements, 413 `M_TOO_LARGE`.
  public static func validate(_ json: JSONValue) throws(MatrixError) {
    guard json.raw.count <= largestSize else {
      throw .tooLarge("The filter is too large (\(json.raw.count) bytes > \(largestSize) bytes)")
    }
    try expect(json, .object, "filter")
    try filter(json["presence"], "presence", isRoom: false)
    try filter(json["account_data"], "account_data", isRoom: false)
    try room(json["room"])
    if let format = json["event_format"], format.string != "client", format.string != "federation" {
      throw invalid("event_format", "'client' or 'federation'")
    }
    try patterns(json["event_fields"], "event_fields")
  }

  private static func room(_ json: JSONValue?) throws(MatrixError) {
    guard let json else { return }
    try expect(json, .object, "room")
    try strings(json["rooms"], "room.rooms", "a room ID") { RoomID($0) != nil }
    try strings(json["not_rooms"], "room.not_rooms", "a room ID") { RoomID($0) != nil }
    try boolean(json["include_leave"], "room.include_leave")
    for name in ["ephemeral", "state", "timeline", "account_data"] {
      try filter(json[name], "room.\(name)", isRoom: true)
    }
  }

  private static func filter(_ json: JSONValue?, _ path: Text, isRoom: Bool) throws(MatrixError) {
    guard let json else { return }
    try expect(json, .object, path)
    if let limit = json["limit"], limit.double == nil { throw invalid("\(path).limit", "a number") }
    for name in ["senders", "not_senders"] {
      try strings(json[name], "\(path).\(name)", "a user ID") { UserID($0) != nil }
    }
    for name in ["types", "not_types"] { try patterns(json[name], "\(path).\(name)") }
    guard isRoom else { return }
    for name in ["rooms", "not_rooms"] {
      try strings(json[name], "\(path).\(name)", "a room ID") { RoomID($0) != nil }
    }
    for name in booleans { try boolean(json[name], "\(path).\(name)") }
    for name in ["org.matrix.labels", "org.matrix.not_labels", "related_by_senders", "related_by_rel_types"] {
      try patterns(json[name], "\(path).\(name)")
    }
  }

  private static let booleans = [
    "contains_url", "lazy_load_members", "include_redundant_members", "unread_thread_notifications",
  ]

  private static func expect(_ json: JSONValue, _ kind: JSONValue.Kind, _ path: Text) throws(MatrixError) {
    guard json.kind == kind else { throw invalid(path, "an object") }
  }

  private static func boolean(_ json: JSONValue?, _ path: Text) throws(MatrixError) {
    if let json, json.bool == nil { throw invalid(path, "a boolean") }
  }

  private static func patterns(_ json: JSONValue?, _ path: Text) throws(MatrixError) {
    try strings(json, path, "a string") { _ in true }
    if let count = json?.elements?.count, count > mostPatterns {
      throw .unknown("Invalid filter: '\(path)' has more than \(mostPatterns) elements.", status: 400)
    }
  }

  private static func strings(
    _ json: JSONValue?, _ path: Text, _ expected: Text, _ isValid: (Text) -> Bool
  ) throws(MatrixError) {
    guard let json else { return }
    guard let elements = json.elements else { throw invalid(path, "an array") }
    for element in elements {
      guard let text = element.string, isValid(text) else {
        throw invalid(path, "an array in which each is \(expected)")
      }
    }
  }

  private static func invalid(_ path: Text, _ expected: Text) -> MatrixError {
    .unknown("Invalid filter: '\(path)' must be \(expected).", status: 400)
  }
}
