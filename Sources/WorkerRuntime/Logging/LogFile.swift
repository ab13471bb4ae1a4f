import FoundationEssentials
import Glibc
import ServerConfig

/// A log file or the console; a file that has grown or aged as configured is replaced.
///
/// Not safe to share: `LogSink` calls it from one queue.
struct LogFile {
  /// The permissions of new files: addresses and names of users are for the server's account and its group.
  private static let mode: mode_t = 0o640

  private let path: String?
  private let rotation: LoggingSettings.Rotation
  private var descriptor: Int32
  private var size: Int64 = 0
  private var nextRotation: time_t?

  /// Opens the destination.
  ///
  /// - Throws: `StartError` when the file cannot be opened.
  init(_ destination: LoggingSettings.Handler.Destination) throws(StartError) {
    switch destination {
    case .console(let standardOutput):
      path = nil
      rotation = .none
      descriptor = standardOutput ? STDOUT_FILENO : STDERR_FILENO
    case .none:
      path = nil
      rotation = .none
      descriptor = -1
    case .file(let path, let rotation):
      self.path = path.string
      self.rotation = rotation
      descriptor = -1
      guard open() else { throw StartError("cannot open log file \(path): \(String(cString: strerror(errno)))") }
    }
  }

  /// Writes whole lines. A full disk loses lines, never the process.
  mutating func write(_ bytes: [UInt8]) {
    rotateIfDue(adding: bytes.count)
    guard descriptor >= 0 else { return }
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset)
      }
      if count > 0 { offset += count } else if errno != EINTR { break }
    }
    size += Int64(offset)
  }

  /// Opens the file again under its name, after another program has moved it away.
  mutating func reopen() {
    guard path != nil else { return }
    close()
    _ = open()
  }

  private mutating func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  private mutating func open() -> Bool {
    guard let path else { return true }
    descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, Self.mode)
    guard descriptor >= 0 else { return false }
    var status = stat()
    fstat(descriptor, &status)
    size = Int64(status.st_size)
    if case .time(let seconds, _, let utc) = rotation {
      nextRotation = Self.next(after: size > 0 ? status.st_mtim.tv_sec : time(nil), seconds: seconds, utc: utc)
    }
    return true
  }

  private mutating func rotateIfDue(adding count: Int) {
    guard let path, descriptor >= 0 else { return }
    switch rotation {
    case .none: return
    case .size(let limit, let backups):
      guard backups > 0, limit > 0, size > 0, size + Int64(count) > limit else { return }
      for number in stride(from: backups - 1, to: 0, by: -1) { rename("\(path).\(number)", "\(path).\(number + 1)") }
      rename(path, "\(path).1")
    case .time(let seconds, let backups, let utc):
      guard let due = nextRotation, time(nil) >= due else { return }
      // The suffix names the period that the old file covers, as Python's handler does.
      let pattern = seconds == nil ? "%Y-%m-%d" : "%Y-%m-%d_%H-%M-%S"
      rename(path, "\(path).\(LogTimestamp.format(due - time_t(seconds ?? 86_400), pattern, utc: utc))")
      if backups > 0 { Self.removeOldest(path, keeping: backups) }
    }
    close()
    _ = open()
  }

  private static func next(after moment: time_t, seconds: Int64?, utc: Bool) -> time_t {
    if let seconds { return moment + time_t(max(seconds, 1)) }
    var moment = moment
    var parts = tm()
    if utc { gmtime_r(&moment, &parts) } else { localtime_r(&moment, &parts) }
    let passed = time_t(parts.tm_hour) * 3_600 + time_t(parts.tm_min) * 60 + time_t(parts.tm_sec)
    return moment - passed + 86_400
  }

  private static func removeOldest(_ path: String, keeping backups: Int) {
    let file = URL(fileURLWithPath: path)
    let folder = file.deletingLastPathComponent().path
    let prefix = file.lastPathComponent + "."
    // Without the folder's list nothing can be removed; logging continues.
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let old = names.filter { $0.hasPrefix(prefix) && $0.dropFirst(prefix.count).first?.isNumber == true }.sorted()
    for name in old.dropLast(backups) { unlink("\(folder)/\(name)") }
  }
}
