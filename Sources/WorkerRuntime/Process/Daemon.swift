import FoundationEssentials
import Glibc

/// The detachment of a process from its terminal, by starting itself again in a session of its own.
///
/// Swift cannot fork, so the second process begins from the start; an environment variable gives it its part. The first
/// process waits until the second serves requests or fails, so that scripts see from its exit code how the start went.
package enum Daemon {
  private static let variable = "MYELIN_DAEMON_REPORT"

  /// Whether this process is the detached one.
  package static var isDetached: Bool { getenv(variable) != nil }

  /// Starts the detached process and waits for its report.
  ///
  /// - Returns: the exit code with which to end.
  /// - Throws: `StartError` when no process can be started.
  package static func detach(arguments: [String] = CommandLine.arguments) throws(StartError) -> Int32 {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw StartError("cannot open a pipe: \(String(cString: strerror(errno)))") }
    let (reader, writer) = (ends[0], ends[1])
    defer { close(reader) }
    _ = fcntl(reader, F_SETFD, FD_CLOEXEC)
    let pid = try spawn(arguments, environment: environment(writer))
    close(writer)
    var report: UInt8 = 0
    var count = read(reader, &report, 1)
    while count < 0 && errno == EINTR { count = read(reader, &report, 1) }
    if count == 1 { return 0 }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    let exitCode = (status >> 8) & 0xFF
    return exitCode == 0 ? 1 : exitCode
  }

  /// Leaves the terminal's session; the detached process calls it first of all.
  package static func beginSession() {
    if isDetached { setsid() }
  }

  /// Informs the waiting first process that requests are answered, and lets go of the terminal.
  static func reportReady() {
    guard let text = getenv(variable), let writer = Int32(String(cString: text)) else { return }
    unsetenv(variable)
    var report: UInt8 = 1
    _ = write(writer, &report, 1)
    close(writer)
    let null = open("/dev/null", O_RDWR)
    guard null >= 0 else { return }
    for descriptor: Int32 in 0...2 { dup2(null, descriptor) }
    if null > 2 { close(null) }
  }

  private static func environment(_ writer: Int32) -> [String] {
    ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" } + ["\(variable)=\(writer)"]
  }

  private static func spawn(_ arguments: [String], environment: [String]) throws(StartError) -> pid_t {
    let argumentPointers = arguments.map { strdup($0) } + [nil]
    let environmentPointers = environment.map { strdup($0) } + [nil]
    defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
    var pid = pid_t()
    let result = posix_spawn(&pid, "/proc/self/exe", nil, nil, argumentPointers, environmentPointers)
    guard result == 0 else { throw StartError("cannot start a process: \(String(cString: strerror(result)))") }
    return pid
  }
}
