import MatrixEvents
import MatrixPrimitives

/// A step from one state group to another.
public struct StateGroupDelta: Sendable, Hashable {
  /// The group before the step.
  public let from: Int64
  /// The group after the step.
  public let to: Int64
  /// The entries that the step sets; none is ever removed.
  public let changes: StateMap

  /// Describes a step.
  public init(from: Int64, to: Int64, changes: StateMap) {
    self.from = from
    self.to = to
    self.changes = changes
  }
}

/// An event's relation to the room's state: the state group before it, and the one after it.
///
/// Wire form (`context` in `send_events` and `fed_send_events`, observed on Synapse's wire):
/// `{"state_group":2,"state_group_before_event":1,"rejected":null,"state_group_deltas":[[1,2,[[type,key,event]…]]],
/// "state_delta_due_to_event":[[type,key,event]]|null,"app_service_id":null,"partial_state":false}`.
public struct EventContext: Sendable, Hashable {
  /// The group of the state before the event; nil for outliers.
  public var stateGroupBeforeEvent: Int64?
  /// The group of the state after the event; nil for outliers.
  public var stateGroup: Int64?
  /// Known steps between groups that end at ``stateGroup``, so that whole states need not be compared.
  public var stateGroupDeltas: [StateGroupDelta]
  /// What the event itself changed; nil when it is not state.
  public var stateDeltaDueToEvent: StateMap?
  /// The reason why the auth rules refused the event.
  public var rejected: Text?
  /// The application service that sent the event.
  public var appServiceID: Text?
  /// Whether the state is incomplete because the room is still being joined.
  public var partialState: Bool
  /// State groups that are not in the database yet, in the order in which they build on each other. A persister in
  /// this process writes them in its own transaction; before a call to another process `StateService.store(_:)` does.
  public var newGroups: [NewStateGroup]

  /// Describes a context.
  public init(
    stateGroupBeforeEvent: Int64?, stateGroup: Int64?, stateGroupDeltas: [StateGroupDelta] = [],
    stateDeltaDueToEvent: StateMap? = nil, rejected: Text? = nil, appServiceID: Text? = nil,
    partialState: Bool = false, newGroups: [NewStateGroup] = []
  ) {
    self.stateGroupBeforeEvent = stateGroupBeforeEvent
    self.stateGroup = stateGroup
    self.stateGroupDeltas = stateGroupDeltas
    self.stateDeltaDueToEvent = stateDeltaDueToEvent
    self.rejected = rejected
    self.appServiceID = appServiceID
    self.partialState = partialState
    self.newGroups = newGroups
  }

  /// The context of an event without state, kept outside the room's timeline.
  public static let outlier = EventContext(stateGroupBeforeEvent: nil, stateGroup: nil)

  /// Reads the wire form.
  ///
  /// - Throws: `MatrixError` 400 when a member has the wrong type.
  public init(json: JSONValue) throws(MatrixError) {
    var deltas: [StateGroupDelta] = []
    if let list = json["state_group_deltas"]?.elements {
      for item in list {
        guard let from = item[0]?.integer, let to = item[1]?.integer, let triples = item[2] else {
          throw MatrixError.badJSON("state_group_deltas is malformed")
        }
        deltas.append(StateGroupDelta(from: from, to: to, changes: try Self.stateMap(triples)))
      }
    }
    var due: StateMap?
    if let value = json["state_delta_due_to_event"], !value.isNull { due = try Self.stateMap(value) }
    self.init(
      stateGroupBeforeEvent: try json.optionalInteger("state_group_before_event"),
      stateGroup: try json.optionalInteger("state_group"), stateGroupDeltas: deltas, stateDeltaDueToEvent: due,
      rejected: try json.optionalString("rejected"), appServiceID: try json.optionalString("app_service_id"),
      partialState: try json.optionalBool("partial_state") ?? false)
  }

  private static func stateMap(_ value: JSONValue) throws(MatrixError) -> StateMap {
    guard let triples = value.elements else { throw MatrixError.badJSON("a state map must be a list") }
    var map: StateMap = [:]
    for triple in triples {
      guard let type = triple[0]?.string, let key = triple[1]?.string, let event = triple[2]?.string else {
        throw MatrixError.badJSON("a state map must hold triples of strings")
      }
      map[StateKey(type, key)] = EventID(unchecked: event)
    }
    return map
  }

  /// The wire form.
  public var json: JSON {
    .object([
      "state_group": stateGroup.map { .integer($0) } ?? .null,
      "state_group_before_event": stateGroupBeforeEvent.map { .integer($0) } ?? .null,
      "rejected": rejected.map { .string($0) } ?? .null,
      "state_group_deltas": .array(
        stateGroupDeltas.map { .array([.integer($0.from), .integer($0.to), Self.json($0.changes)]) }),
      "state_delta_due_to_event": stateDeltaDueToEvent.map(Self.json) ?? .null,
      "app_service_id": appServiceID.map { .string($0) } ?? .null,
      "partial_state": .bool(partialState),
    ])
  }

  private static func json(_ map: StateMap) -> JSON {
    .array(
      map.sorted { $0.key < $1.key }
        .map { .array([.string($0.key.type), .string($0.key.stateKey), .string($0.value.rawValue)]) })
  }
}
