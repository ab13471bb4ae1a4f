import FoundationEssentials
import Glibc

/// The memory that the process has in use.
struct ProcessMemory {
  /// All of its pages that are in memory, in bytes.
  let resident: Int
  /// Those of them that are its own, and not of files, in bytes.
  let anonymous: Int

  /// Asks the system; nil where it gives no answer (outside Linux).
  static func now() -> ProcessMemory? {
    guard let statm = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
    // The second number counts resident pages, the third those of files among them.
    let fields = statm.split(separator: " ")
    guard fields.count > 2, let resident = Int(fields[1]), let shared = Int(fields[2]) else { return nil }
    let page = sysconf(Int32(_SC_PAGESIZE))
    return ProcessMemory(resident: resident * page, anonymous: (resident - shared) * page)
  }
}
