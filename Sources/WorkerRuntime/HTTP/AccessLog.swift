import EndpointKit
import Logging

/// Writes a line for each answered request to the logger that Synapse's administrators know, `synapse.access.http.<tag>`.
enum AccessLog {
  /// Writes one line; health checks and preflights only at level debug.
  static func write(_ record: RequestRecord, tag: String, to logger: Logger) {
    let isRoutine = record.endpoint == "Health" || record.method == "OPTIONS"
    let level: Logger.Level = isRoutine ? .debug : .info
    guard level >= logger.logLevel else { return }
    let status = record.status.map { String($0) } ?? "499!"
    logger.log(
      level: level,
      """
      \(record.clientIP) - \(tag) - {\(record.user ?? "-")} Processed request: \(seconds(record.duration))sec \
      \(record.responseBytes)B \(status) "\(record.method) \(record.target)" "\(record.userAgent)"
      """,
      metadata: ["request": "\(record.id)"])
  }

  private static func seconds(_ duration: Duration) -> String {
    let milliseconds = duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000
    let rest = String(milliseconds % 1_000)
    return "\(milliseconds / 1_000)." + String(repeating: "0", count: max(0, 3 - rest.count)) + rest
  }
}
