/// The isolation of a transaction from others that run beside it.
public enum IsolationLevel: Sendable, Hashable {
  /// Every statement sees what was committed before it began.
  case readCommitted
  /// The whole transaction sees one moment; colliding writes fail with 40001 and are retried. Synapse's level.
  case repeatableRead
  /// The outcome is as if transactions ran one after the other.
  case serializable

  func begin(readOnly: Bool) -> SQL {
    switch (self, readOnly) {
    case (.readCommitted, false): "BEGIN ISOLATION LEVEL READ COMMITTED"
    case (.readCommitted, true): "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
    case (.repeatableRead, false): "BEGIN ISOLATION LEVEL REPEATABLE READ"
    case (.repeatableRead, true): "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    case (.serializable, false): "BEGIN ISOLATION LEVEL SERIALIZABLE"
    case (.serializable, true): "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"
    }
  }
}
