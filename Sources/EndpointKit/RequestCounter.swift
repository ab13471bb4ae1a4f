import ByteText
import Synchronization

/// The numbering of a process's requests, by which the log lines of one request can be found.
final class RequestCounter: Sendable {
  private let count = Atomic<UInt64>(0)

  /// Makes the next id, such as `GET-17`.
  func next(_ method: Text) -> Text {
    method + "-" + Text(count.wrappingAdd(1, ordering: .relaxed).newValue)
  }
}
