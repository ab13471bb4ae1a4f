import Glibc

/// The number of files the process may open: each connection is one.
enum FileLimit {
  /// What the process needs beside its clients' connections: PostgreSQL, Redis, other processes, log files.
  private static let reserve = 256

  /// Returns how many connections may be open before sockets for clients accept no more.
  static func clientConnections(limit: Int = current) -> Int { limit - min(reserve, limit / 2) }

  /// Returns how many connections may be open before sockets for other processes and for monitoring accept no more.
  static func ownConnections(limit: Int = current) -> Int { limit - min(reserve, limit / 2) / 2 }

  /// The present soft limit.
  static var current: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
    return Int(clamping: limit.rlim_cur)
  }

  /// Raises the soft limit.
  ///
  /// - Parameter wanted: 0 means as many as the system allows.
  static func raise(to wanted: Int) {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    let target = wanted > 0 ? min(rlim_t(wanted), limit.rlim_max) : limit.rlim_max
    guard target > limit.rlim_cur || wanted > 0 else { return }
    limit.rlim_cur = target
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
