import FoundationEssentials
import Glibc
import ServerConfig

/// Writes the process id where service scripts look for it, and removes it at the end.
struct PIDFile: Sendable {
  private let path: String

  /// Writes the file.
  ///
  /// - Throws: `StartError` when it cannot be written.
  init(_ path: String) throws(StartError) {
    self.path = path
    do {
      try "\(getpid())\n".write(toFile: path, atomically: false, encoding: .utf8)
    } catch {
      throw StartError("cannot write pid_file \(path): \(FileFailure.reason(of: error))")
    }
  }

  /// Removes the file, unless another process has put its own id there since.
  func remove() {
    let content = try? String(contentsOfFile: path, encoding: .utf8)
    if content == "\(getpid())\n" { unlink(path) }
  }
}
