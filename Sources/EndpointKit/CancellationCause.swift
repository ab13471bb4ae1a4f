import Synchronization

/// The reason why a handler was cancelled; the first cause stays.
final class CancellationCause: Sendable {
  enum Value: Sendable {
    case none
    case deadline
    case disconnect
  }

  private let state = Mutex(Value.none)

  /// The first cause noted.
  var value: Value { state.withLock { $0 } }

  func note(_ cause: Value) {
    state.withLock { if $0 == .none { $0 = cause } }
  }
}
