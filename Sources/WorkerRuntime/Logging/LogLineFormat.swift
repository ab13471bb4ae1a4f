import ByteText
import Glibc
import Logging
import MatrixPrimitives
import ServerConfig

/// The lines of log events, in the format that Synapse's log configuration names.
struct LogLineFormat: Sendable {
  private enum Piece: Sendable {
    case text(String)
    case field(String)
  }

  private enum Style: Sendable {
    case text([Piece])
    case json(withTimeAndLevel: Bool)
  }

  private let style: Style
  private let timestamp = LogTimestamp()

  init(_ format: LoggingSettings.Format) {
    switch format {
    case .text(let pattern): style = .text(Self.parse(pattern.string))
    case .json(let withTimeAndLevel): style = .json(withTimeAndLevel: withTimeAndLevel)
    }
  }

  /// Renders one event with its line feed.
  func line(_ event: LogEvent, label: String, metadata: Logger.Metadata) -> [UInt8] {
    switch style {
    case .text(let pieces): text(pieces, event, label, metadata)
    case .json(let withTimeAndLevel): json(event, label, metadata, withTimeAndLevel: withTimeAndLevel)
    }
  }

  /// Returns a level's name as Python spells it.
  static func name(_ level: Logger.Level) -> String {
    switch level {
    case .trace, .debug: "DEBUG"
    case .info, .notice: "INFO"
    case .warning: "WARNING"
    case .error: "ERROR"
    case .critical: "CRITICAL"
    }
  }

  /// Splits a Python format, `%(name)s` being a field and `%%` a percent sign. Field widths and the like are dropped.
  private static func parse(_ pattern: String) -> [Piece] {
    var pieces: [Piece] = []
    var rest = Substring(pattern)
    while let percent = rest.firstIndex(of: "%") {
      pieces.append(.text(String(rest[..<percent])))
      rest = rest[rest.index(after: percent)...]
      if rest.first == "(", let close = rest.firstIndex(of: ")") {
        pieces.append(.field(String(rest[rest.index(after: rest.startIndex)..<close])))
        rest = rest[rest.index(after: close)...].drop { !$0.isLetter }.dropFirst()
      } else {
        pieces.append(.text("%"))
        if rest.first == "%" { rest.removeFirst() }
      }
    }
    return pieces + [.text(String(rest))]
  }

  private func text(_ pieces: [Piece], _ event: LogEvent, _ label: String, _ metadata: Logger.Metadata) -> [UInt8] {
    var line: [UInt8] = []
    line.reserveCapacity(256)
    for piece in pieces {
      switch piece {
      case .text(let text): line += text.utf8
      case .field(let name): append(field: name, event, label, metadata, to: &line)
      }
    }
    // One event is one line, so that clients cannot forge a line.
    line = Self.escapingLineFeeds(line)
    line.append(UInt8(ascii: "\n"))
    return line
  }

  private func append(
    field name: String, _ event: LogEvent, _ label: String, _ metadata: Logger.Metadata, to line: inout [UInt8]
  ) {
    switch name {
    case "asctime": line += timestamp.text().utf8
    case "name": line += label.utf8
    case "levelname": line += Self.name(event.level).utf8
    case "lineno": line += String(event.line).utf8
    case "funcName": line += event.function.utf8
    case "filename", "pathname": line += event.file.utf8
    case "module": line += event.source.utf8
    case "process": line += String(getpid()).utf8
    case "message": Self.append(messageOf: event, metadata, to: &line)
    default:
      if case .string(let text)? = metadata[name] {
        line += text.utf8
      } else {
        line += (metadata[name].map { "\($0)" } ?? "-").utf8
      }
    }
  }

  private static func append(messageOf event: LogEvent, _ metadata: Logger.Metadata, to line: inout [UInt8]) {
    line += event.message.description.utf8
    let isRequestOnly = metadata.count == 1 && metadata["request"] != nil
    for (key, value) in isRequestOnly ? [] : metadata.sorted(by: { $0.key < $1.key }) where key != "request" {
      line += " \(key)=\(value)".utf8
    }
    if let error = event.error { line += " error=\(error)".utf8 }
  }

  private func json(
    _ event: LogEvent, _ label: String, _ metadata: Logger.Metadata, withTimeAndLevel: Bool
  ) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("log", Text(event.message.description))
    writer.member("namespace", Text(label))
    if withTimeAndLevel {
      let now = timespec.now
      writer.member("level", Text(Self.name(event.level)))
      writer.key("time" as Text)
      writer.value(Double(now.tv_sec) + Double(now.tv_nsec / 1_000) / 1e6)
    }
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { writer.member(Text(key), "\(value)" as Text) }
    if let error = event.error { writer.member("error", "\(error)" as Text) }
    writer.endObject()
    return writer.bytes + [UInt8(ascii: "\n")]
  }

  private static func escapingLineFeeds(_ line: [UInt8]) -> [UInt8] {
    guard line.contains(where: { $0 < 0x20 && $0 != UInt8(ascii: "\t") }) else { return line }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(line.count + 8)
    for byte in line {
      switch byte {
      case UInt8(ascii: "\n"): bytes += Array("\\n".utf8)
      case UInt8(ascii: "\r"): bytes += Array("\\r".utf8)
      case 0..<0x20 where byte != UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "?"))
      default: bytes.append(byte)
      }
    }
    return bytes
  }
}
