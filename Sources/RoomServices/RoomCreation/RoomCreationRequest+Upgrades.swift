import MatrixEvents
import MatrixPrimitives

extension RoomCreationRequest {
  /// Makes the request for a room that replaces another one.
  ///
  /// - Parameters:
  ///   - create: the content of the old room's create event.
  ///   - state: the state that is carried over.
  init(
    replacing old: RoomID, create: JSONValue?, version: RoomVersion, additionalCreators: [UserID]?,
    state: [(StateKey, JSON)]
  ) {
    var content: [Text: JSON] = ["predecessor": ["room_id": .string(old.rawValue)]]
    if let additionalCreators {
      content["additional_creators"] = .array(additionalCreators.map { .string($0.rawValue) })
    }
    if create?["m.federate"]?.bool == false { content["m.federate"] = false }
    if let type = create?["type"] { content["type"] = type.json }
    self.init(version: version, creationContent: content, initialState: state)
  }
}

extension InitialEvents {
  /// Returns the same events with the create event naming the last event of the room before.
  func following(_ tombstone: EventID) -> InitialEvents {
    var copy = self
    var predecessor = request.creationContent["predecessor"]?.members ?? [:]
    predecessor["event_id"] = .string(tombstone.rawValue)
    copy.request.creationContent["predecessor"] = .object(predecessor)
    return copy
  }
}
