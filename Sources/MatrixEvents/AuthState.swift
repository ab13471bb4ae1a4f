import MatrixPrimitives

/// The state that an event is checked against: the event in each slot.
public protocol AuthState {
  /// Finds the event in a slot.
  func event(_ key: StateKey) -> Event?
}

/// The few state events that auth rules look at.
public struct AuthEvents: AuthState, Sendable {
  private var events: [StateKey: Event]

  /// Collects state events; of two in the same slot the last one stays, events that are no state are left out.
  public init(_ events: some Sequence<Event>) {
    self.events = [:]
    for event in events {
      if let key = event.key { self.events[key] = event }
    }
  }

  /// Wraps a map.
  public init(_ events: [StateKey: Event]) {
    self.events = events
  }

  /// Finds the event in a slot.
  public func event(_ key: StateKey) -> Event? { events[key] }

  /// Puts an event into its slot.
  public mutating func insert(_ event: Event) {
    if let key = event.key { events[key] = event }
  }
}
