import FoundationEssentials
import Glibc

/// The notices to systemd (or whoever set `NOTIFY_SOCKET`) about the state of the process, as `sd_notify(3)` describes.
struct ServiceNotifier: Sendable {
  private let path: String?

  /// Reads the socket's path from the environment.
  init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    path = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Announces that requests are answered now.
  func ready() {
    send("READY=1\nMAINPID=\(getpid())")
  }

  /// Announces that the process is stopping.
  func stopping() {
    send("STOPPING=1")
  }

  /// Sends a datagram. Nothing depends on its arrival, so that failures are not reported.
  private func send(_ message: String) {
    guard let path else { return }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // A leading @ means the NUL byte of Linux's abstract sockets.
    let bytes = path.hasPrefix("@") ? [0] + Array(path.utf8.dropFirst()) : Array(path.utf8)
    let offset = MemoryLayout.offset(of: \sockaddr_un.sun_path) ?? 2
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let length = socklen_t(offset + bytes.count)
    let text = Array(message.utf8)
    _ = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { sendto(descriptor, text, text.count, 0, $0, length) }
    }
  }
}
