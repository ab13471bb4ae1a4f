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

  /// Reads `m.relates_to`; nil when there is none with a type and an event.
  init?(_ event: Event) {
    guard let relation = event.content["m.relates_to"], let type = relation["rel_type"]?.string,
      let parent = relation["event_id"]?.string, !type.utf8.contains(0), !parent.utf8.contains(0)
    else { return nil }
    self.type = type
    parentID = EventID(unchecked: parent)
    key = type == "m.annotation" ? relation["key"]?.string.flatMap { $0.utf8.contains(0) ? nil : $0 } : nil
  }
}
