import MatrixEvents
import MatrixPrimitives
import Stores

/// The check of `m.relates_to`, which refuses unknown parents, reactions sent twice, and what breaks a rule for which
/// events are refused (``RelationFault``).
struct RelationValidator: Sendable {
  let events: EventStore
  let store: RelationStore

  static let longestAggregationKey = 500

  /// Checks the relation of a draft, if it has one.
  ///
  /// - Throws: `MatrixError` 400.
  func check(_ draft: ClientEventDraft, sender: UserID) async throws {
    let child = RelatedEvent(
      roomID: draft.roomID, type: draft.type, sender: sender, isState: draft.stateKey != nil, content: draft.content)
    guard let relation = child.relation else { return }
    if let parent = try await events.event(relation.parentID) {
      if let fault = child.relationFault(parent: RelatedEvent(parent.event)), fault.isRefused {
        throw Self.refusal(fault)
      }
    } else if try await !store.isTarget(relation.parentID) {
      throw MatrixError.unknown("Can't send relation to unknown event", status: 400)
    }
    if relation.type == EventRelation.Kind.annotation { try await checkReaction(draft, relation, sender) }
  }

  private static func refusal(_ fault: RelationFault) -> MatrixError {
    switch fault {
    case .noKey: .unknown("Missing aggregation key", status: 400)
    case .threadOfRelated: .unknown("Cannot start threads from an event with a relation", status: 400)
    case .otherRoom: .unknown("Relations must be in the same room", status: 400)
    default: .unknown("This relation cannot be", status: 400)
    }
  }

  private func checkReaction(_ draft: ClientEventDraft, _ relation: EventRelation, _ sender: UserID) async throws {
    // Of a parent that is not known only this can be said.
    guard let key = relation.key else { throw Self.refusal(.noKey) }
    if key.unicodeScalars.count > Self.longestAggregationKey {
      throw MatrixError.unknown("Aggregation key is too long", status: 400)
    }
    if try await store.hasAnnotated(relation.parentID, type: draft.type, key: key, sender: sender) {
      throw MatrixError(.duplicateAnnotation, "Can't send same reaction twice")
    }
  }
}
