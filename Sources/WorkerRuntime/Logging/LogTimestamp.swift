import Glibc
import Synchronization

/// Times as Python's `%(asctime)s` renders them, `2026-11-23 15:09:57,123`; the date is computed once a second.
final class LogTimestamp: Sendable {
  private let cached = Mutex<(second: time_t, text: String)>((time_t.min, ""))

  /// Renders a time in the local time zone.
  func text(_ moment: timespec = .now) -> String {
    let date = cached.withLock { cached in
      if cached.second != moment.tv_sec { cached = (moment.tv_sec, Self.format(moment.tv_sec, "%Y-%m-%d %H:%M:%S")) }
      return cached.text
    }
    let milliseconds = String(moment.tv_nsec / 1_000_000)
    return date + "," + String(repeating: "0", count: max(0, 3 - milliseconds.count)) + milliseconds
  }

  /// Renders a time with `strftime`.
  static func format(_ second: time_t, _ pattern: String, utc: Bool = false) -> String {
    var second = second
    var parts = tm()
    if utc { gmtime_r(&second, &parts) } else { localtime_r(&second, &parts) }
    var buffer = [CChar](repeating: 0, count: 64)
    let count = strftime(&buffer, buffer.count, pattern, &parts)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

extension timespec {
  /// The present time of the system's clock.
  static var now: timespec {
    var moment = timespec()
    clock_gettime(CLOCK_REALTIME, &moment)
    return moment
  }
}
