import Foundation
import Logging
import MatrixPrimitives
import ServerConfig
import Testing

@testable import WorkerRuntime

@Suite struct LoggingTests {
  private func event(_ message: Logger.Message, level: Logger.Level = .info) -> LogEvent {
    LogEvent(
      level: level, message: message, metadata: nil, source: "Module", file: "File.swift", function: "f()", line: 7)
  }

  private func line(
    _ format: LoggingSettings.Format, _ event: LogEvent, metadata: Logger.Metadata = [:]
  ) -> String {
    String(decoding: LogLineFormat(format).line(event, label: "a.b", metadata: metadata), as: UTF8.self)
  }

  @Test func `fills a Python format in`() {
    let format = LoggingSettings.Format.text(
      "%(name)s %(lineno)d %(levelname)-8s [%(request)s] 100%% %(message)s %(absent)s")
    let text = line(format, event("hello", level: .notice), metadata: ["request": "GET-1", "key": "value"])
    #expect(text == "a.b 7 INFO [GET-1] 100% hello key=value -\n")
  }

  @Test func `keeps an event on one line whatever it contains`() {
    let text = line(.text("%(message)s"), event("one\ntwo\r\u{1B}[2J\tend"))
    #expect(text == "one\\ntwo\\r?[2J\tend\n")
  }

  @Test func `writes JSON with Synapse's member names`() throws {
    let text = line(.json(withTimeAndLevel: true), event("say \"x\"", level: .warning), metadata: ["request": "GET-1"])
    let value = try JSONValue.parse(Text(text.trimmingCharacters(in: .newlines)))
    #expect(value["log"]?.string == "say \"x\"")
    #expect(value["namespace"]?.string == "a.b")
    #expect(value["level"]?.string == "WARNING")
    #expect(value["request"]?.string == "GET-1")
    #expect((value["time"]?.double ?? 0) > 1_600_000_000)
  }

  @Test func `writes times as Python does`() {
    let text = LogTimestamp().text(timespec(tv_sec: 1_700_000_000, tv_nsec: 7_000_000))
    #expect(text.hasSuffix(",007"))
    #expect(text.hasPrefix("2023-11-1"))
    #expect(LogTimestamp.format(0, "%Y-%m-%d %H:%M:%S", utc: true) == "1970-01-01 00:00:00")
  }

  @Test func `replaces a file that has grown, keeping as many old ones as asked`() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("test.log")
    var file = try LogFile(.file(path: Text(path), rotation: .size(bytes: 10, backups: 2)))
    for text in ["first 1\n", "second\n", "third 3\n", "fourth\n"] { file.write(Array(text.utf8)) }
    #expect(try folder.text("test.log") == "fourth\n")
    #expect(try folder.text("test.log.1") == "third 3\n")
    #expect(try folder.text("test.log.2") == "second\n")
    #expect(folder.names == ["test.log", "test.log.1", "test.log.2"])
  }

  @Test func `opens a file again after it was moved away`() throws {
    let folder = try TemporaryFolder()
    var file = try LogFile(.file(path: Text(folder.path("test.log")), rotation: .none))
    file.write(Array("old\n".utf8))
    rename(folder.path("test.log"), folder.path("moved"))
    file.reopen()
    file.write(Array("new\n".utf8))
    #expect(try folder.text("test.log") == "new\n")
    #expect(try folder.text("moved") == "old\n")
  }

  @Test func `refuses a log file that cannot be opened, by name`() {
    let error = #expect(throws: StartError.self) {
      try LogFile(.file(path: "/nonexistent/folder/test.log", rotation: .none))
    }
    #expect(error?.description.contains("/nonexistent/folder/test.log") == true)
  }

  @Test func `writes what was logged before a flush, at the handler's level`() throws {
    let folder = try TemporaryFolder()
    var handler = try #require(LoggingSettings.standard.handlers["console"])
    handler.destination = .file(path: Text(folder.path("test.log")), rotation: .none)
    handler.format = .text("%(message)s")
    handler.level = .warning
    let sink = try LogSink(handler)
    let log = ProcessLogHandler(label: "a", sinks: [sink], level: .info)
    log.log(event: event("quiet"))
    log.log(event: event("loud", level: .error))
    sink.flush()
    #expect(try folder.text("test.log") == "loud\n")
  }
}
