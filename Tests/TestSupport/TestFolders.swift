import Foundation
import Synchronization

/// The folders of this process's private servers, removed when it ends.
enum TestFolders {
  private static let prefix = "myelin-test-pg-"
  private static let state = Mutex<(folders: [String], made: Int, hasExitHandler: Bool)>(([], 0, false))

  /// Makes a folder that user `postgres` may use.
  static func make() throws -> String {
    let number = state.withLock { state in
      if !state.hasExitHandler {
        state.hasExitHandler = true
        atexit { TestFolders.removeAll() }
      }
      state.made += 1
      return state.made
    }
    // Short, because the path of a unix socket may have about 100 bytes.
    let folder = "/tmp/\(prefix)\(getpid())-\(number)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    if geteuid() == 0, let user = getpwnam("postgres") {
      guard chown(folder, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
        throw TestPostgresError(description: "cannot hand \(folder) to user postgres")
      }
    }
    state.withLock { $0.folders.append(folder) }
    return folder
  }

  /// Takes away what processes left behind that were killed before they could.
  static func removeStale() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? []
    for name in names where name.hasPrefix(prefix) {
      guard let owner = name.dropFirst(prefix.count).split(separator: "-").first.flatMap({ pid_t($0) }) else {
        continue
      }
      if owner != getpid(), kill(owner, 0) != 0, errno == ESRCH { remove("/tmp/" + name) }
    }
  }

  private static func removeAll() {
    for folder in state.withLock({ $0.folders }) { remove(folder) }
  }

  private static func remove(_ folder: String) {
    if let server = serverProcess(folder) {
      kill(server, SIGQUIT)
      for _ in 0..<200 where kill(server, 0) == 0 { usleep(10_000) }
    }
    removeFiles(folder)
  }

  /// Removes a folder in the background: hundreds of scratch databases are hundreds of thousands of files.
  private static func removeFiles(_ folder: String) {
    let command = ["rm", "-rf", folder]
    let arguments = command.map { strdup($0) }
    defer { for argument in arguments { free(argument) } }
    var process: pid_t = 0
    posix_spawn(&process, "/bin/rm", nil, nil, arguments + [nil], environ)
  }

  /// Returns the server that runs in a folder. Its command line is compared, because the number may have been given away.
  private static func serverProcess(_ folder: String) -> pid_t? {
    guard let file = try? String(contentsOfFile: folder + "/data/postmaster.pid", encoding: .utf8),
      let process = file.split(separator: "\n").first.flatMap({ pid_t($0) }),
      let command = try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8), command.contains(folder)
    else { return nil }
    return process
  }
}
