import Foundation

/// The run of a program to its end. Foundation's `Process` is of no use here: it takes a program that leaves a server
/// behind for still running, because the server inherits the socket by which the end is noticed.
enum TestProgram {
  /// Starts a program, with its output in a file, and returns the status that it ended with.
  static func run(_ command: [String], output: String) async throws -> Int32 {
    let process = try spawn(command, output: output)
    return await withCheckedContinuation { continuation in
      let thread = Thread {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        // The exit status is in the second byte; a signal is in the first.
        continuation.resume(returning: status & 0x7f == 0 ? (status >> 8) & 0xff : -(status & 0x7f))
      }
      thread.start()
    }
  }

  private static func spawn(_ command: [String], output: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    let arguments = command.map { strdup($0) }
    defer { for argument in arguments { free(argument) } }
    guard let program = command.first else { throw TestPostgresError(description: "no program named") }
    var process: pid_t = 0
    let status = posix_spawn(&process, program, &actions, nil, arguments + [nil], environ)
    guard status == 0 else {
      throw TestPostgresError(description: "cannot run \(program): \(String(cString: strerror(status)))")
    }
    return process
  }
}
