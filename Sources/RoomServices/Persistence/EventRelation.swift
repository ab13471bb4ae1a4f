import MatrixEvents
import MatrixPrimitives

/// Holds how an event relates to another one, as table `event_relations` keeps it.
struct EventRelation: Sendable {
  /// Names the other event.
  let parentID: EventID
  /// Holds the kind of relation.
  let type: String
  /// Holds the key of an annotation.
  let key: String?

  /// Holds how many bytes an event id or a kind of relation may have. The database indexes them together with the key, and
  /// an entry of such an index has to stay below 2,704 bytes.
  private static let longestName = 255
  /// Holds how many bytes a key may have: those of the 500 characters that clients of this server may send.
  private static let longestKey = 2_000

  /// Reads `m.relates_to`; nil when there is none with a type and an event, or the database could not hold it.
  init?(_ event: Event) {
    guard let relation = event.content["m.relates_to"],
      let type = Self.text(relation["rel_type"], maximumBytes: Self.longestName),
      let parent = Self.text(relation["event_id"], maximumBytes: Self.longestName)
    else { return nil }
    self.type = type
    parentID = EventID(unchecked: parent)
    key = type == "m.annotation" ? Self.text(relation["key"], maximumBytes: Self.longestKey) : nil
  }

  private static func text(_ value: JSONValue?, maximumBytes: Int) -> String? {
    guard let text = value?.string, text.utf8.count <= maximumBytes, !text.utf8.contains(0) else { return nil }
    return text
  }
}
