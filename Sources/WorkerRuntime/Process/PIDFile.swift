import FoundationEssentials
import Glibc

/// The file of the process id for service scripts, removed at the end.
struct PIDFile: Sendable {
  private let path: String

  /// Writes the file.
  ///
  /// - Throws: `StartError` when it cannot be written.
  init(_ path: String) throws(StartError) {
    self.path = path
    // A user who can write it can have another process stopped.
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.failure(path) }
    defer { close(descriptor) }
    let text = Array("\(getpid())\n".utf8)
    guard write(descriptor, text, text.count) == text.count else { throw Self.failure(path) }
  }

  private static func failure(_ path: String) -> StartError {
    StartError("cannot write pid_file \(path): \(String(cString: strerror(errno)))")
  }

  /// Removes the file, unless another process has put its own id there since.
  func remove() {
    let content = try? String(contentsOfFile: path, encoding: .utf8)
    if content == "\(getpid())\n" { unlink(path) }
  }
}
