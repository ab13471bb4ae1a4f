import Glibc

/// The standard error output.
public enum StandardError {
  /// Writes a text as it is; what cannot be written is lost.
  public static func write(_ text: String) {
    var left = Array(text.utf8)[...]
    while !left.isEmpty {
      let written = left.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      guard written > 0 || (written < 0 && errno == EINTR) else { return }
      left = left.dropFirst(max(written, 0))
    }
  }
}
