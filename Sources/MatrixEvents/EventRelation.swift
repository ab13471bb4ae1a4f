import MatrixPrimitives

/// The relation of an event to another one, its parent: what `m.relates_to` in its content says.
///
/// Source: the client-server API's "Forming relationships between events". Encrypted events say it in the clear.
public struct EventRelation: Sendable, Hashable {
  /// The kinds of relation that have rules; there may be any others.
  public enum Kind {
    /// `m.annotation`, such as a reaction.
    public static let annotation = "m.annotation"
    /// `m.reference`
    public static let reference = "m.reference"
    /// `m.replace`, an edit.
    public static let replacement = "m.replace"
    /// `m.thread`
    public static let thread = "m.thread"
  }

  /// The limit on `rel_type`, as on identifiers with a namespace, and on `event_id`, as on event ids, in bytes.
  public static let longestName = 255

  /// The value of `rel_type`.
  public let type: Text
  /// The value of `event_id`. It may be any text, and then no event is found by it.
  public let parentID: EventID
  /// The value of `key` in an annotation; nil where it is missing or no string, and with other kinds.
  public let key: Text?
  /// Whether an event in a thread names an event that it replies to only for clients without threads.
  public let isFallingBack: Bool

  /// Reads an event's content; nil if `m.relates_to` has no `rel_type` and `event_id` that are strings without null characters of at
  /// most ``longestName`` bytes. A mere reply is no such relation: see ``repliesTo(_:)``.
  public init?(_ content: JSONValue) {
    guard let relation = content["m.relates_to"] else { return nil }
    self.init(
      type: relation["rel_type"]?.string, parent: relation["event_id"]?.string, key: relation["key"]?.string,
      isFallingBack: relation["is_falling_back"]?.bool)
  }

  /// Reads the content of an event that is being made; see ``init(_:)``.
  public init?(_ content: JSON) {
    guard let relation = content["m.relates_to"] else { return nil }
    self.init(
      type: relation["rel_type"]?.string, parent: relation["event_id"]?.string, key: relation["key"]?.string,
      isFallingBack: relation["is_falling_back"]?.bool)
  }

  private init?(type: Text?, parent: Text?, key: Text?, isFallingBack: Bool?) {
    guard let type, let parent, Self.isName(type), Self.isName(parent) else { return nil }
    self.type = type
    parentID = EventID(unchecked: parent)
    self.key = type == Kind.annotation ? key : nil
    self.isFallingBack = type == Kind.thread && isFallingBack == true
  }

  private static func isName(_ text: Text) -> Bool {
    text.utf8.count <= longestName && !text.utf8.contains(0)
  }

  /// Returns the event that one with this content replies to; nil if it replies to none, or names one only for clients
  /// that know no threads.
  ///
  /// Source: the client-server API's "Rich replies" and "Fallback for unthreaded clients".
  public static func repliesTo(_ content: JSONValue) -> EventID? {
    guard let id = content["m.relates_to"]?["m.in_reply_to"]?["event_id"]?.string.flatMap({ EventID($0) }),
      EventRelation(content)?.isFallingBack != true
    else { return nil }
    return id
  }
}
