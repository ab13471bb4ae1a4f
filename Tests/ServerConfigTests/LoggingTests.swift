import ByteText
import Testing

@testable import ServerConfig

@Suite struct LoggingTests {
  private func parse(_ text: Text) throws -> (LoggingSettings, [Text]) {
    var warnings: [Text] = []
    let settings = try LoggingSettings.parse(Array(text.utf8), file: "log.yaml", warnings: &warnings)
    return (settings, warnings)
  }

  @Test func readsHandlersThroughTheirBuffers() throws {
    let (settings, warnings) = try parse(ConfigGenerator.logConfig(file: "/var/log/hs.log"))
    #expect(warnings.isEmpty)
    let handler = try #require(settings.handlers(of: "anything.at.all").first)
    #expect(
      handler.destination == .file(path: "/var/log/hs.log", rotation: .time(seconds: nil, backups: 3, utc: false)))
    #expect(handler.buffer == LoggingSettings.Buffer(capacity: 10, flushLevel: .warning, periodSeconds: 5))
    #expect(settings.level(of: "x") == .info)
  }

  @Test func levelsAndHandlersFollowDottedNames() throws {
    let (settings, warnings) = try parse(
      """
      version: 1
      formatters: {json: {class: synapse.logging.TerseJsonFormatter}}
      handlers:
        out: {class: logging.StreamHandler, stream: ext://sys.stdout, formatter: json}
        big: {class: logging.handlers.RotatingFileHandler, filename: f, maxBytes: 1000, backupCount: 2, level: 30}
        far: {class: synapse.logging.RemoteHandler, host: a}
      loggers:
        synapse.storage: {level: ERROR}
        synapse.storage.SQL: {level: DEBUG, handlers: [big], propagate: false}
      root: {level: WARNING, handlers: [out]}
      """)
    #expect(settings.level(of: "synapse.storage.events") == .error)
    #expect(settings.level(of: "synapse.storagex") == .warning)
    #expect(settings.level(of: "synapse.storage.SQL") == .debug)
    #expect(settings.handlers(of: "synapse.storage.SQL").map(\.name) == ["big"])
    #expect(settings.handlers["out"]?.format == .json(withTimeAndLevel: true))
    #expect(settings.handlers["out"]?.destination == .console(standardOutput: true))
    #expect(settings.handlers["big"]?.destination == .file(path: "f", rotation: .size(bytes: 1000, backups: 2)))
    #expect(settings.handlers["big"]?.level == .warning)
    #expect(warnings.count == 2)
  }

  @Test(arguments: [
    "root: {handlers: [none]}", "root: {level: LOUD}", "[1]", "handlers: {a: {class: logging.FileHandler}}",
  ])
  func refusesBrokenLogConfigurations(_ text: Text) {
    #expect(throws: ConfigError.self) { try parse(text) }
  }
}
