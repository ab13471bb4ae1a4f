import Foundation

/// The rise of the process's memory, by the kernel's own count. What earlier benchmarks freed is taken again unseen, so
/// the figure is good for one benchmark alone in its process.
struct PeakMemory {
  private let before: Int64

  /// Notes the present size and sets the kernel's high-water mark back to it.
  static func start() -> PeakMemory? {
    // 5 resets the mark; where that is not allowed nothing is measured.
    guard
      (try? ("5" as String).write(toFile: "/proc/self/clear_refs" as String, atomically: false, encoding: .utf8)) != nil
    else {
      return nil
    }
    return status("VmRSS:").map { PeakMemory(before: $0) }
  }

  /// Returns how many bytes above the noted size the high-water mark is.
  func rise() -> Int64? { Self.status("VmHWM:").map { max(0, $0 - before) } }

  private static func status(_ field: String) -> Int64? {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
    let line = text.split(separator: "\n" as Character).first { $0.hasPrefix(field) }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int64($0) }.map { $0 * 1024 }
  }
}
