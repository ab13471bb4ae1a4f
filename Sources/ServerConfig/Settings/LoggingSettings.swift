import ByteText
import Logging

/// What is logged and where to, as read from Synapse's log configuration (Python's `dictConfig` form).
///
/// It only describes; the process' runtime makes swift-log handlers of it.
public struct LoggingSettings: Sendable, Hashable {
  /// One place that receives lines.
  public struct Handler: Sendable, Hashable {
    /// The destination of lines.
    public enum Destination: Sendable, Hashable {
      /// The error output or, if so said, the standard output.
      case console(standardOutput: Bool)
      /// A file, with what happens when it grows.
      case file(path: Text, rotation: Rotation)
      /// Nowhere.
      case none
    }

    /// The handler's name as in the file.
    public var name: Text
    /// The destination of lines.
    public var destination: Destination
    /// The form of a line.
    public var format: Format
    /// The least level of the lines that pass.
    public var level: Logger.Level
    /// The buffer in which lines gather before writing; nil writes each at once.
    public var buffer: Buffer?
  }

  /// The time at which a log file is replaced by a new one.
  public enum Rotation: Sendable, Hashable {
    /// Never.
    case none
    /// The size in bytes at which it is replaced, keeping so many old ones.
    case size(bytes: Int64, backups: Int)
    /// Every so many seconds, or at midnight when nil, keeping so many old ones (0 means all).
    case time(seconds: Int64?, backups: Int, utc: Bool)
  }

  /// A buffer of lines in memory.
  public struct Buffer: Sendable, Hashable {
    /// The number of waiting lines at which they are written.
    public var capacity: Int
    /// The least level of a line that is written at once.
    public var flushLevel: Logger.Level
    /// The time in seconds after which lines are written at the latest.
    public var periodSeconds: Double

    /// Makes settings by hand.
    public init(capacity: Int, flushLevel: Logger.Level, periodSeconds: Double) {
      self.capacity = capacity
      self.flushLevel = flushLevel
      self.periodSeconds = periodSeconds
    }
  }

  /// The form of a line.
  public enum Format: Sendable, Hashable {
    /// Text after a Python format such as `%(asctime)s - %(name)s - %(levelname)s - %(message)s`.
    case text(Text)
    /// A JSON object a line, with time and level when wanted.
    case json(withTimeAndLevel: Bool)

    /// The text form that Synapse uses when nothing is said.
    public static let standard = Format.text(
      "%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(request)s - %(message)s")
  }

  /// The settings of one logger, by its dotted name.
  public struct LoggerSettings: Sendable, Hashable {
    /// The least level of the lines that pass; nil inherits from the next shorter name.
    public var level: Logger.Level?
    /// The names of the handlers.
    public var handlers: [Text]
    /// Whether lines are passed on to the handlers of shorter names as well.
    public var propagates: Bool
  }

  /// The least level of the lines that pass when no logger says otherwise.
  public var rootLevel: Logger.Level
  /// The names of the root's handlers.
  public var rootHandlers: [Text]
  /// The loggers' settings by dotted name.
  public var loggers: [Text: LoggerSettings]
  /// The handlers by name.
  public var handlers: [Text: Handler]

  /// The settings without a log configuration: lines from level info to the error output.
  public static let standard = LoggingSettings(
    rootLevel: .info, rootHandlers: ["console"], loggers: [:],
    handlers: [
      "console": Handler(
        name: "console", destination: .console(standardOutput: false), format: .standard, level: .trace, buffer: nil)
    ])

  /// Returns the level of a logger: that of the longest configured name that is its dotted prefix, or the root's.
  public func level(of label: Text) -> Logger.Level {
    for name in Self.prefixes(label) {
      if let level = loggers[name]?.level { return level }
    }
    return rootLevel
  }

  /// Returns the handlers that receive a logger's lines.
  public func handlers(of label: Text) -> [Handler] {
    var names: [Text] = []
    for name in Self.prefixes(label) {
      guard let settings = loggers[name] else { continue }
      names += settings.handlers
      if !settings.propagates { return Self.unique(names).compactMap { handlers[$0] } }
    }
    return Self.unique(names + rootHandlers).compactMap { handlers[$0] }
  }

  /// Lists `a.b.c`, `a.b`, `a`.
  private static func prefixes(_ label: Text) -> [Text] {
    var result = [label]
    var rest = label.utf8[...]
    while let dot = rest.lastIndex(of: UInt8(ascii: ".")) {
      rest = rest[..<dot]
      result.append(Text(rest))
    }
    return result
  }

  private static func unique(_ names: [Text]) -> [Text] {
    var seen: Set<Text> = []
    return names.filter { seen.insert($0).inserted }
  }
}
