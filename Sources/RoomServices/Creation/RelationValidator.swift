import MatrixEvents
import MatrixPrimitives
import Stores

/// Refuses events whose `m.relates_to` cannot be: unknown parents, reactions sent twice, threads within threads.
struct RelationValidator: Sendable {
  let storage: Storage

  static let longestAggregationKey = 500

  /// Checks the relation of a draft, if it has one.
  ///
  /// - Throws: `MatrixError` 400.
  func check(_ draft: ClientEventDraft, sender: UserID) async throws {
    guard let relation = draft.content["m.relates_to"], let type = relation["rel_type"]?.string,
      let parentText = relation["event_id"]?.string, let parentID = EventID(parentText)
    else { return }
    if let parent = try await storage.events.event(parentID) {
      if parent.roomID != draft.roomID { throw MatrixError.unknown("Relations must be in the same room", status: 400) }
      if type == "m.thread", parent.content["m.relates_to"]?["rel_type"]?.string != nil {
        throw MatrixError.unknown("Cannot start threads from an event with a relation", status: 400)
      }
    } else if try await !storage.relations.isTarget(parentID) {
      throw MatrixError.unknown("Can't send relation to unknown event", status: 400)
    }
    if type == "m.annotation" { try await checkReaction(draft, relation, parentID, sender) }
  }

  private func checkReaction(
    _ draft: ClientEventDraft, _ relation: JSON, _ parentID: EventID, _ sender: UserID
  ) async throws {
    guard let key = relation["key"]?.string else { throw MatrixError.unknown("Missing aggregation key", status: 400) }
    if key.unicodeScalars.count > Self.longestAggregationKey {
      throw MatrixError.unknown("Aggregation key is too long", status: 400)
    }
    if try await storage.relations.hasAnnotated(parentID, type: draft.type, key: key, sender: sender) {
      throw MatrixError.custom(
        status: 400, errcode: "M_DUPLICATE_ANNOTATION", message: "Can't send same reaction twice", extras: [:])
    }
  }
}
