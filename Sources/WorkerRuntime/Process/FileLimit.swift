import Glibc

/// Raises the number of files the process may open: each connection is one.
enum FileLimit {
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
