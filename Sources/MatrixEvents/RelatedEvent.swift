import MatrixPrimitives

/// What the rules on relations look at in an event, stored or about to be made.
public struct RelatedEvent: Sendable {
  /// The room's id.
  public let roomID: RoomID
  /// The event type.
  public let type: Text
  /// The sender.
  public let sender: UserID
  /// Whether the event has a state key.
  public let isState: Bool
  /// The relation of the event itself to another one.
  public let relation: EventRelation?
  /// Whether the content has `m.new_content`, which is an object, or is encrypted and may have it inside.
  public let mayReplaceContent: Bool

  /// Looks at an event.
  public init(_ event: Event) {
    self.init(
      roomID: event.roomID, type: event.type, sender: event.sender, isState: event.isState,
      relation: EventRelation(event.content), hasNewContent: event.content["m.new_content"]?.kind == .object)
  }

  /// Looks at the parts of an event that is being made.
  public init(roomID: RoomID, type: Text, sender: UserID, isState: Bool, content: JSON) {
    self.init(
      roomID: roomID, type: type, sender: sender, isState: isState, relation: EventRelation(content),
      hasNewContent: content["m.new_content"]?.members != nil)
  }

  private init(
    roomID: RoomID, type: Text, sender: UserID, isState: Bool, relation: EventRelation?, hasNewContent: Bool
  ) {
    self.roomID = roomID
    self.type = type
    self.sender = sender
    self.isState = isState
    self.relation = relation
    mayReplaceContent = type == EventType.encrypted || hasNewContent
  }

  /// Returns whether relations of a kind to this event count at all, so that they are shown together with it.
  ///
  /// Edits and annotations relate to what they change or annotate; nothing relates to them. Threads begin at events that relate to
  /// nothing. State has no edits, and on Synapse's wire nothing else either.
  public func mayBeParent(of kind: Text) -> Bool {
    guard !isState else { return false }
    switch relation?.type {
    case nil: return true
    case EventRelation.Kind.annotation, EventRelation.Kind.replacement: return false
    default: return kind != EventRelation.Kind.thread
    }
  }

  /// Finds the first rule that this event's relation to its parent breaks; nil if there is none, or no relation.
  ///
  /// Source: the client-server API's "Forming relationships between events", "Validity of replacement events", "Threading", "Event
  /// annotations and reactions". References and kinds that are not known have the first rule only.
  public func relationFault(parent: RelatedEvent) -> RelationFault? {
    guard let relation else { return nil }
    guard parent.roomID == roomID else { return .otherRoom }
    switch relation.type {
    case EventRelation.Kind.annotation: return annotationFault(relation, parent: parent)
    case EventRelation.Kind.replacement: return replacementFault(parent: parent)
    case EventRelation.Kind.thread: return parent.relation == nil ? nil : .threadOfRelated
    default: return nil
    }
  }

  private func annotationFault(_ relation: EventRelation, parent: RelatedEvent) -> RelationFault? {
    if relation.key == nil { return .noKey }
    switch parent.relation?.type {
    case EventRelation.Kind.annotation, EventRelation.Kind.replacement: return .annotatesRelation
    default: return nil
    }
  }

  private func replacementFault(parent: RelatedEvent) -> RelationFault? {
    if parent.sender != sender { return .otherSender }
    if parent.type != type { return .otherType }
    if isState || parent.isState { return .replacesState }
    if parent.relation?.type == EventRelation.Kind.replacement { return .replacesReplacement }
    return mayReplaceContent ? nil : .noNewContent
  }
}

/// The rules that a relation can break.
public enum RelationFault: Error, Sendable, Hashable, CaseIterable {
  /// Parent and child are in different rooms.
  case otherRoom
  /// An annotation has no key that is a string.
  case noKey
  /// An annotation is of another annotation, or of an edit.
  case annotatesRelation
  /// A thread is to begin at an event that relates to another one.
  case threadOfRelated
  /// An edit is of another user's event.
  case otherSender
  /// An edit has another type than what it replaces.
  case otherType
  /// An edit is state, or of state.
  case replacesState
  /// An edit is of another edit.
  case replacesReplacement
  /// An edit does not say what the content is to be.
  case noNewContent

  /// Whether a client's event is refused for it. Other faulty relations are sent, stored and ignored (observed on
  /// Synapse's wire).
  public var isRefused: Bool {
    switch self {
    case .otherRoom, .noKey, .threadOfRelated: true
    default: false
    }
  }
}
