import Logging

/// A log handler that sends the events of one logger to its sinks.
struct ProcessLogHandler: LogHandler {
  private let label: String
  private let sinks: [LogSink]
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?
  var logLevel: Logger.Level

  init(label: String, sinks: [LogSink], level: Logger.Level) {
    self.label = label
    self.sinks = sinks
    logLevel = level
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var merged = metadata
    if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
    if let own = event.metadata {
      if merged.isEmpty { merged = own } else { merged.merge(own) { $1 } }
    }
    for sink in sinks where event.level >= sink.settings.level {
      sink.add(sink.format.line(event, label: label, metadata: merged), level: event.level)
    }
  }
}
