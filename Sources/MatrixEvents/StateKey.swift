import MatrixPrimitives

/// A slot of a room's state: an event type and a state key.
public struct StateKey: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The event type, such as `m.room.member`.
  public let type: Text
  /// The state key, often empty.
  public let stateKey: Text

  /// Creates the slot of a type and state key.
  public init(_ type: Text, _ stateKey: Text = "") {
    self.type = type
    self.stateKey = stateKey
  }

  /// Compares byte by byte.
  public static func == (a: StateKey, b: StateKey) -> Bool {
    a.type == b.type && a.stateKey == b.stateKey
  }

  /// Orders byte by byte.
  public static func < (a: StateKey, b: StateKey) -> Bool {
    let order = ByteOrder.compare(a.type, b.type)
    return order != 0 ? order < 0 : a.stateKey < b.stateKey
  }

  /// Feeds the parts that equality compares.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(type)
    hasher.combine(stateKey)
  }

  /// A text for logs.
  public var description: String { "(\(type), \(stateKey))" }

  /// The slot of the create event.
  public static let create = StateKey(EventType.create)
  /// The slot of the power levels.
  public static let powerLevels = StateKey(EventType.powerLevels)
  /// The slot of the join rules.
  public static let joinRules = StateKey(EventType.joinRules)
  /// Returns the slot of a user's membership.
  public static func member(_ user: UserID) -> StateKey { StateKey(EventType.member, user.rawValue) }
}

/// The event in each slot of a state.
public typealias StateMap = [StateKey: EventID]
