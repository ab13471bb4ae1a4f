import ByteText
import Logging
import YAML

extension LoggingSettings {
  /// Reads a log configuration file.
  ///
  /// - Parameters:
  ///   - path: the file that `log_config` or `worker_log_config` names.
  ///   - warnings: receives a line for what has no counterpart here (other handler classes, filters).
  /// - Throws: `ConfigError` when the file cannot be read, is no YAML, or refers to handlers that it does not define.
  public static func load(path: Text, warnings: inout [Text]) throws(ConfigError) -> LoggingSettings {
    try parse(FileText.read(path, key: "log_config"), file: path, warnings: &warnings)
  }

  /// Reads the text of a log configuration file.
  public static func parse(_ text: [UInt8], file: Text, warnings: inout [Text]) throws(ConfigError)
    -> LoggingSettings
  {
    let document: YAMLNode
    do {
      document = try YAMLDocument.parse(text, file: file)
    } catch {
      throw ConfigError(error)
    }
    guard let mapping = document.mapping else {
      throw ConfigError("", at: document.mark, found: document.summary, expected: "a log configuration")
    }
    let root = SettingsSection(path: "", mapping: mapping, mark: document.mark)
    root.accept("version", "disable_existing_loggers", "filters", "incremental")
    var reader = LogConfigReader(root: root)
    let settings = try reader.read()
    warnings += reader.warnings + root.unread().map { "\($0.mark): \($0.name): has no effect in a log configuration" }
    return settings
  }
}

/// The reader of the sections of a log configuration.
private struct LogConfigReader {
  let root: SettingsSection
  var warnings: [Text] = []
  private var formats: [Text: LoggingSettings.Format] = [:]
  private var targets: [Text: Text] = [:]

  init(root: SettingsSection) { self.root = root }

  mutating func read() throws(ConfigError) -> LoggingSettings {
    for (name, section) in try root.namedSections("formatters") { formats[name] = try format(section) }
    var handlers: [Text: LoggingSettings.Handler] = [:]
    for (name, section) in try root.namedSections("handlers") { handlers[name] = try handler(name, section) }
    try resolveBuffers(&handlers)
    var loggers: [Text: LoggingSettings.LoggerSettings] = [:]
    for (name, section) in try root.namedSections("loggers") {
      loggers[name] = LoggingSettings.LoggerSettings(
        level: try level(section), handlers: try names(section, known: handlers),
        propagates: try section.bool("propagate", true))
    }
    let rootSection = try root.section("root")
    rootSection.accept("propagate")
    return LoggingSettings(
      rootLevel: try level(rootSection) ?? .warning, rootHandlers: try names(rootSection, known: handlers),
      loggers: loggers,
      handlers: handlers)
  }

  private func names(
    _ section: SettingsSection, known: [Text: LoggingSettings.Handler]
  ) throws(ConfigError) -> [Text] {
    let names = try section.strings("handlers")
    for name in names where known[name] == nil {
      throw section.fail("handlers", "found \"\(name)\", expected a handler that is defined under handlers")
    }
    section.accept("filters")
    return names
  }

  private func level(_ section: SettingsSection, _ key: Text = "level") throws(ConfigError) -> Logger.Level? {
    guard let node = section.node(key) else { return nil }
    if let number = node.integer { return Self.level(number) }
    switch node.string?.asciiUppercased {
    case "NOTSET": return .trace
    case "DEBUG": return .debug
    case "INFO": return .info
    case "WARNING", "WARN": return .warning
    case "ERROR": return .error
    case "CRITICAL", "FATAL": return .critical
    default: throw section.fail(key, node, expected: "DEBUG, INFO, WARNING, ERROR or CRITICAL")
    }
  }

  /// Python numbers its levels in tens; a number between two of them lets only the higher one pass.
  private static func level(_ number: Int64) -> Logger.Level {
    switch number {
    case ...9: .trace
    case ...10: .debug
    case ...20: .info
    case ...30: .warning
    case ...40: .error
    default: .critical
    }
  }

  private mutating func format(_ section: SettingsSection) throws(ConfigError) -> LoggingSettings.Format {
    section.accept("datefmt", "style", "validate")
    let text = try section.string("format")
    let factory = try section.string("()")
    guard let name = try section.string("class") ?? factory else { return text.map { .text($0) } ?? .standard }
    switch name {
    case "synapse.logging.TerseJsonFormatter": return .json(withTimeAndLevel: true)
    case "synapse.logging.JsonFormatter": return .json(withTimeAndLevel: false)
    case "logging.Formatter": break
    default: warnings.append("\(section.path): the formatter \(name) is not known, the text form is used")
    }
    return text.map { .text($0) } ?? .standard
  }

  private mutating func handler(_ name: Text, _ section: SettingsSection) throws(ConfigError)
    -> LoggingSettings.Handler
  {
    var format = LoggingSettings.Format.standard
    if let wanted = try section.string("formatter") {
      guard let known = formats[wanted] else {
        throw section.fail("formatter", "found \"\(wanted)\", expected a formatter that is defined under formatters")
      }
      format = known
    }
    section.accept("filters", "encoding", "delay", "errors", "mode")
    var result = LoggingSettings.Handler(
      name: name, destination: .none, format: format, level: try level(section) ?? .trace, buffer: nil)
    let factory = try section.string("()")
    switch try section.string("class") ?? factory {
    case "logging.StreamHandler": result.destination = .console(standardOutput: try usesStandardOutput(section))
    case "logging.NullHandler": break
    case "logging.FileHandler", "logging.handlers.WatchedFileHandler":
      result.destination = .file(path: try path(section), rotation: .none)
    case "logging.handlers.RotatingFileHandler":
      let bytes = try section.bytes("maxBytes", 0)
      let backups = try section.integer("backupCount", 0)
      // Python never rotates without a bound and without room for an old file.
      let rotation: LoggingSettings.Rotation = bytes > 0 && backups > 0 ? .size(bytes: bytes, backups: backups) : .none
      result.destination = .file(path: try path(section), rotation: rotation)
    case "logging.handlers.TimedRotatingFileHandler":
      result.destination = .file(path: try path(section), rotation: try timedRotation(section))
    case "synapse.logging.handlers.PeriodicallyFlushingMemoryHandler", "logging.handlers.MemoryHandler":
      result.buffer = LoggingSettings.Buffer(
        capacity: try section.integer("capacity", 10, in: 1...1_000_000),
        flushLevel: try level(section, "flushLevel") ?? .error,
        periodSeconds: try section.number("period", 5))
      targets[name] = try section.string("target")
    case let other:
      warnings.append("\(section.path): the handler \(other ?? "without a class") is not known, it receives nothing")
    }
    return result
  }

  private func path(_ section: SettingsSection) throws(ConfigError) -> Text {
    guard let path = try section.string("filename") else {
      throw section.fail("filename", "is missing, expected a path")
    }
    return path
  }

  private func usesStandardOutput(_ section: SettingsSection) throws(ConfigError) -> Bool {
    switch try section.string("stream") {
    case nil, "ext://sys.stderr": return false
    case "ext://sys.stdout": return true
    case let other:
      throw section.fail("stream", "found \"\(other ?? "")\", expected ext://sys.stdout or ext://sys.stderr")
    }
  }

  private func timedRotation(_ section: SettingsSection) throws(ConfigError) -> LoggingSettings.Rotation {
    let backups = try section.integer("backupCount", 0)
    let utc = try section.bool("utc", false)
    let interval = Int64(try section.integer("interval", 1, in: 1...1_000_000))
    section.accept("atTime")
    let unit: Int64
    let when = try section.text("when")?.asciiUppercased ?? "H"
    switch when {
    case "S": unit = 1
    case "M": unit = 60
    case "H": unit = 3600
    case "D": unit = 86_400
    case "MIDNIGHT": return .time(seconds: nil, backups: backups, utc: utc)
    case "W0", "W1", "W2", "W3", "W4", "W5", "W6": unit = 7 * 86_400
    default: throw section.fail("when", "found \"\(when)\", expected S, M, H, D, W0 to W6 or midnight")
    }
    return .time(seconds: interval * unit, backups: backups, utc: utc)
  }

  /// Gives buffering handlers the destination of their target.
  private func resolveBuffers(_ handlers: inout [Text: LoggingSettings.Handler]) throws(ConfigError) {
    for (name, target) in targets.sorted(by: { $0.key < $1.key }) {
      guard let destination = handlers[target], destination.buffer == nil else {
        throw root.fail("handlers.\(name).target", "found \"\(target)\", expected another handler that writes")
      }
      guard var handler = handlers[name] else { continue }
      handler.destination = destination.destination
      handler.format = destination.format
      handler.level = max(destination.level, handler.level)
      handlers[name] = handler
    }
  }
}
