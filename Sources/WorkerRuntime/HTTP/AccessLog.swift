import EndpointKit
import Logging

/// The line for each answered request, for the logger that Synapse's administrators know, `synapse.access.http.<tag>`.
enum AccessLog {
  /// Writes one line; health checks and preflights only at level debug.
  static func write(_ record: RequestRecord, tag: String, to logger: Logger) {
    let isRoutine = record.endpoint == "Health" || record.method == "OPTIONS"
    let level: Logger.Level = isRoutine ? .debug : .info
    guard level >= logger.logLevel else { return }
    // Put together piece by piece, which costs a fraction of interpolating it.
    var line = ""
    line.reserveCapacity(160 + record.target.utf8.count + record.userAgent.utf8.count)
    line += record.clientIP.string
    line += " - "
    line += tag
    line += " - {"
    line += record.user?.string ?? "-"
    line += "} Processed request: "
    line += seconds(record.duration)
    line += "sec "
    line += String(record.responseBytes)
    line += "B "
    line += record.status.map { String($0) } ?? "499!"
    line += " \""
    line += record.method.string
    line += " "
    line += record.target.string
    line += "\" \""
    line += record.userAgent.string
    line += "\""
    logger.log(level: level, Logger.Message(stringLiteral: line), metadata: ["request": .string(record.id.string)])
  }

  private static func seconds(_ duration: Duration) -> String {
    let milliseconds = duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000
    let rest = String(milliseconds % 1_000)
    return String(milliseconds / 1_000) + (rest.utf8.count == 1 ? ".00" : rest.utf8.count == 2 ? ".0" : ".") + rest
  }
}
