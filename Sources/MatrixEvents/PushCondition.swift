import MatrixPrimitives

/// One condition of a push rule, prepared for matching.
///
/// Source: the client-server API's "Conditions for push rules".
struct PushCondition: Sendable {
  enum Test: Sendable {
    /// The member is a string that matches a pattern.
    case matches(EventPath, GlobPattern)
    /// A word of the message body matches a pattern.
    case bodyMatches(GlobPattern)
    /// The member is the user's id.
    case isUserID(EventPath)
    /// A word of the message body is the user's localpart.
    case bodyHasLocalpart
    case propertyIs(EventPath, JSON)
    case propertyContains(EventPath, JSON)
    case propertyContainsUserID(EventPath)
    case containsDisplayName
    case memberCount(Comparison, Int64)
    case senderMayNotify(Text)
    /// The event is in a thread that the user follows, or does not (MSC4306).
    case isFollowing(Bool)
    /// A condition that is not understood never holds.
    case never
  }

  enum Comparison: Text, Sendable {
    case equal = "=="
    case less = "<"
    case greater = ">"
    case atMost = "<="
    case atLeast = ">="
  }

  let test: Test
  /// The condition as clients wrote it; the default rules' references to the user are filled in when shown.
  let json: JSON

  /// Whether the outcome differs from user to user.
  var dependsOnUser: Bool {
    switch test {
    case .isUserID, .bodyHasLocalpart, .propertyContainsUserID, .containsDisplayName, .isFollowing: true
    default: false
    }
  }

  /// Prepares a condition as stored.
  init(_ json: JSON) {
    self.json = json
    test = Self.test(json)
  }

  private static func test(_ json: JSON) -> Test {
    switch json["kind"]?.string {
    case "event_match": eventMatch(json)
    case "event_property_is": property(json) { .propertyIs($0, $1) }
    case "event_property_contains": eventPropertyContains(json)
    case "contains_display_name": .containsDisplayName
    case "room_member_count": memberCount(json["is"]?.string ?? "")
    case "sender_notification_permission": json["key"]?.string.map { .senderMayNotify($0) } ?? .never
    case "io.element.msc4306.thread_subscription": json["subscribed"]?.bool.map { .isFollowing($0) } ?? .never
    default: .never
    }
  }

  private static func eventMatch(_ json: JSON) -> Test {
    guard let key = json["key"]?.string else { return .never }
    switch json["pattern_type"]?.string {
    case "user_id": return .isUserID(EventPath(key))
    case "user_localpart": return .bodyHasLocalpart
    default: break
    }
    guard let pattern = json["pattern"]?.string else { return .never }
    let glob = GlobPattern(pattern)
    return key == "content.body" ? .bodyMatches(glob) : .matches(EventPath(key), glob)
  }

  private static func property(_ json: JSON, _ make: (EventPath, JSON) -> Test) -> Test {
    guard let key = json["key"]?.string, let value = json["value"] else { return .never }
    switch value {
    case .array, .object, .double: return .never
    default: return make(EventPath(key), value)
    }
  }

  private static func eventPropertyContains(_ json: JSON) -> Test {
    if json["value_type"]?.string == "user_id", let key = json["key"]?.string {
      return .propertyContainsUserID(EventPath(key))
    }
    return property(json) { .propertyContains($0, $1) }
  }

  private static func memberCount(_ text: Text) -> Test {
    let sign = Text(text.utf8.prefix { [UInt8(ascii: "="), UInt8(ascii: "<"), UInt8(ascii: ">")].contains($0) })
    guard let count = Int64(text.dropFirst(sign.utf8.count)),
      let comparison = sign.isEmpty ? .equal : Comparison(rawValue: sign)
    else { return .never }
    return .memberCount(comparison, count)
  }
}
