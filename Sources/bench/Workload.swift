import NIOCore

/// The requests of a round, one for each number from 0 up; nil when there are no more to make.
struct Workload: Sendable {
  let request: @Sendable (Int) -> ByteBuffer?

  init(_ request: @escaping @Sendable (Int) -> ByteBuffer?) { self.request = request }

  /// Goes through prepared requests, again and again.
  static func cycling(_ requests: [ByteBuffer]) -> Workload {
    Workload { number in requests.isEmpty ? nil : requests[number % requests.count] }
  }
}
