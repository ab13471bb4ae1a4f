import ByteText
import Foundation
import Synchronization

/// A private Redis on a unix socket in a temporary folder.
///
/// The server ends with the test process, however that ends: a shell waits for the end of a pipe that only this process
/// holds. Clients that reconnect need not wait for the start.
public final class TestRedis: Sendable {
  /// The path at which the server listens.
  public let socketPath: Text
  private let folder: String
  private let arguments: [String]
  private struct Running {
    let process: Process
    let lifeline: Pipe
  }
  private let running = Mutex<Running?>(nil)

  private static let sharedServer = Mutex<TestRedis?>(nil)

  /// Returns the server that all suites share; use channel and key names of your own.
  /// - Throws: when `redis-server` cannot be started.
  public static func shared() throws -> TestRedis {
    try sharedServer.withLock { server in
      if let server { return server }
      let started = try TestRedis()
      server = started
      return started
    }
  }

  /// Starts a server.
  /// - Parameter arguments: further arguments of `redis-server`, such as `["--requirepass", "secret"]`.
  /// - Throws: when the folder cannot be made or the server not be started.
  public init(arguments: [String] = []) throws {
    folder = "/tmp/myelin-redis-\(UUID().uuidString.prefix(13))"
    socketPath = "\(folder)/redis.sock"
    self.arguments = arguments
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try start()
  }

  deinit { stop() }

  /// Starts the server again after `stop`, on the same socket.
  /// - Throws: when the server cannot be started.
  public func start() throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let process = Process()
    let lifeline = Pipe()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    let script =
      "folder=$1; shift; redis-server \"$@\" >/dev/null 2>&1 & server=$!; cat; kill -9 $server; wait $server; "
      + "rm -rf \"$folder\""
    let settings = ["--port", "0", "--unixsocket", socketPath.string, "--save", "", "--dir", folder]
    process.arguments = ["-c", script, "redis", folder] + settings + arguments
    process.standardInput = lifeline
    // Otherwise a child started by another test at the same time would hold the pipe open too.
    _ = fcntl(lifeline.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
    process.standardError = FileHandle.nullDevice
    try process.run()
    running.withLock { $0 = Running(process: process, lifeline: lifeline) }
  }

  /// Kills the server and waits until it is gone, ten seconds at most.
  public func stop() {
    guard
      let ended = running.withLock({ running in
        defer { running = nil }
        return running
      })
    else { return }
    try? ended.lifeline.fileHandleForWriting.close()  // Closed already means stopped already.
    // `waitUntilExit` would run this thread's run loop, which a thread of Swift's pool does not have.
    let deadline = Date(timeIntervalSinceNow: 10)
    while ended.process.isRunning, Date() < deadline { usleep(2_000) }
  }
}
