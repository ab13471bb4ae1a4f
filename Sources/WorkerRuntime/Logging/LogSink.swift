import Dispatch
import Glibc
import Logging
import ServerConfig
import Synchronization

/// The lines of one handler, written from a thread of their own, so that no request waits for a disk.
final class LogSink: Sendable {
  /// Bytes that may wait; lines beyond are dropped and counted.
  private static let bufferLimit = 16 << 20
  /// The time that lines below the level of a warning may wait for others, in seconds: waking a thread and writing to a
  /// file for each line of a busy access log costs more than making the line.
  private static let gathering = 0.05

  private struct State {
    var buffer: [UInt8] = []
    var lines = 0
    var dropped = 0
    var isScheduled = false
    /// Whether a write is under way that does not wait.
    var isUrgent = false
  }

  let settings: LoggingSettings.Handler
  let format: LogLineFormat
  private let state = Mutex(State())
  private let file: Mutex<LogFile>
  private let queue: DispatchQueue

  /// Opens the handler's destination.
  ///
  /// - Throws: `StartError` when its file cannot be opened.
  init(_ settings: LoggingSettings.Handler) throws(StartError) {
    self.settings = settings
    format = LogLineFormat(settings.format)
    file = Mutex(try LogFile(settings.destination))
    queue = DispatchQueue(label: "log.\(settings.name)")
  }

  /// Adds a line; it is written soon, or after the delay that the handler's buffer allows.
  func add(_ line: [UInt8], level: Logger.Level) {
    let delay = state.withLock { state -> DispatchTimeInterval? in
      guard state.buffer.count + line.count <= Self.bufferLimit else {
        state.dropped += 1
        return nil
      }
      state.buffer += line
      state.lines += 1
      let isUrgent = settings.buffer.map { state.lines >= $0.capacity || level >= $0.flushLevel } ?? (level >= .warning)
      if state.isUrgent || (state.isScheduled && !isUrgent) { return nil }
      state.isScheduled = true
      state.isUrgent = isUrgent
      let seconds = isUrgent ? 0 : settings.buffer?.periodSeconds ?? Self.gathering
      return .milliseconds(Int(min(max(seconds, 0), 3_600) * 1_000))
    }
    guard let delay else { return }
    queue.asyncAfter(deadline: .now() + delay) { self.flush() }
  }

  /// Writes what is waiting.
  func flush() {
    file.withLock { file in
      let (bytes, dropped) = state.withLock { state in
        defer { state = State() }
        return (state.buffer, state.dropped)
      }
      if !bytes.isEmpty { file.write(bytes) }
      if dropped > 0 { file.write(Array("\(dropped) log lines were dropped because they came too fast\n".utf8)) }
    }
  }

  /// Writes what is waiting and opens the file again under its name.
  func reopen() {
    flush()
    file.withLock { $0.reopen() }
  }
}
