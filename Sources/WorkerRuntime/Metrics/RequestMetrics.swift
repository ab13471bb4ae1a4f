import ByteText
import EndpointKit
import Synchronization

/// The number of requests and their time by endpoint, method and status.
final class RequestMetrics: Sendable {
  private struct Key: Hashable {
    let endpoint: Text
    let method: Text
    let status: Int
  }

  private struct Value {
    var count = 0
    var seconds = 0.0
    var bytes = 0

    mutating func add(seconds: Double, bytes: Int) {
      count += 1
      self.seconds += seconds
      self.bytes += bytes
    }
  }

  private let values = Mutex<[Key: Value]>([:])

  /// Adds one request. Unknown paths share one name, and unknown methods too, so that strangers cannot add lines without end.
  func record(_ record: RequestRecord) {
    let method = HTTPMethod(rawValue: record.method)?.rawValue ?? ("other" as Text)
    let key = Key(endpoint: record.endpoint ?? "unrecognized", method: method, status: record.status ?? 499)
    let seconds = Double(record.duration.components.seconds) + Double(record.duration.components.attoseconds) / 1e18
    values.withLock { $0[key, default: Value()].add(seconds: seconds, bytes: record.responseBytes) }
  }

  /// Writes the counters.
  func write(to text: inout MetricsText) {
    let all = values.withLock { $0 }.sorted { ($0.key.endpoint, $0.key.status) < ($1.key.endpoint, $1.key.status) }
    func samples(_ value: (Value) -> Double) -> [(labels: [(String, String)], value: Double)] {
      all.map { key, entry in
        ([("servlet", key.endpoint.string), ("method", key.method.string), ("code", String(key.status))], value(entry))
      }
    }
    text.family(
      "myelin_http_responses_total", .counter, help: "Responses by endpoint, method and status.",
      samples { Double($0.count) })
    text.family(
      "myelin_http_response_seconds_total", .counter, help: "Time from request to response.", samples { $0.seconds })
    text.family(
      "myelin_http_response_bytes_total", .counter, help: "Bytes of response bodies.", samples { Double($0.bytes) })
  }
}
