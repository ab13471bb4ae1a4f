#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The system's means for many connections.
enum Descriptors {
  /// Lets this process open as many files and sockets as the system allows it to.
  static func raiseLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    // Where it is refused, the first connection too many says so.
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
