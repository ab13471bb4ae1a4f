import ByteText
import Logging
import ServerConfig

/// The process's logging as Synapse's log configuration sets it up.
struct ProcessLogging: Sendable {
  private let sinks: [Text: LogSink]
  private let settings: LoggingSettings

  /// Opens all handlers that a logger uses.
  ///
  /// - Throws: `StartError` when a log file cannot be opened.
  init(_ settings: LoggingSettings) throws(StartError) {
    self.settings = settings
    let used = Set(settings.rootHandlers + settings.loggers.values.flatMap(\.handlers))
    var sinks: [Text: LogSink] = [:]
    for (name, handler) in settings.handlers where used.contains(name) { sinks[name] = try LogSink(handler) }
    self.sinks = sinks
  }

  /// Makes loggers created from now on write to the handlers; once in a process.
  func bootstrap() {
    LoggingSystem.bootstrap { label in makeHandler(label) }
  }

  /// Makes the handler of one logger.
  func makeHandler(_ label: String) -> ProcessLogHandler {
    ProcessLogHandler(
      label: label, sinks: settings.handlers(of: Text(label)).compactMap { sinks[$0.name] },
      level: settings.level(of: Text(label)))
  }

  /// Opens log files again under their names, as log rotation by other programs asks for with SIGHUP.
  func reopen() {
    for sink in sinks.values { sink.reopen() }
  }

  /// Writes all that is waiting; before the process ends.
  func flush() {
    for sink in sinks.values { sink.flush() }
  }
}
