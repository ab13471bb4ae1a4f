import EndpointKit
import Foundation
import Logging
import ServerConfig
import ServiceLifecycle

@testable import WorkerRuntime

/// A listener on a unix socket for the length of a test.
struct ListenerHarness: Sendable {
  let path: String
  let connections = ConnectionRegistry()
  let deadlines = DeadlineWatch()

  /// Opens the socket, runs the body, then stops: gracefully, or by cancelling everything.
  static func run(
    _ endpoints: [Endpoint], compressing: Bool = false, cancelling: Bool = false,
    _ body: @Sendable (ListenerHarness) async throws -> Void
  ) async throws {
    let folder = try TemporaryFolder()
    let harness = ListenerHarness(path: folder.path("s"))
    let readiness = StartReadiness()
    let document = """
      server_name: example.org
      signing_key: "ed25519 a_aaaa AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
      macaroon_secret_key: sample
      database: {name: psycopg2, args: {dbname: none}}
      listeners: [{path: \(harness.path), mode: 0600, type: http, resources: [{names: [client]}]}]
      """
    let config = try HomeserverConfig.parse([("test", Array(document.utf8))], role: .homeserver).0
    let adapter = RequestAdapter(
      router: Router(endpoints), connections: harness.connections, deadlines: harness.deadlines,
      trustsForwardedFor: true,
      compressedResources: RequestAdapter.CompressionRule(prefixes: compressing ? ["/"] : []),
      date: HTTPDate())
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let listeners = config.listeners.map {
      HTTPListener($0, tls: nil, adapter: adapter, readiness: readiness, logger: logger)
    }
    let group = ServiceGroup(configuration: .init(services: listeners, logger: logger))
    let serving = Task { try await group.run() }
    defer { serving.cancel() }
    try await readiness.wait()
    try await body(harness)
    if cancelling {
      serving.cancel()
      _ = await serving.result
    } else {
      await group.triggerGracefulShutdown()
      try await serving.value
    }
    _ = folder.names
  }

  /// Opens a connection.
  func connect() throws -> RawConnection {
    try RawConnection(path)
  }
}

/// A connection of raw bytes over a unix socket, which blocks a thread of its own while it waits.
struct RawConnection: Sendable {
  struct Failure: Error {
    let reason: String
  }

  private let descriptor: Int32
  private let queue = DispatchQueue(label: "raw connection")

  init(_ path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else { throw Failure(reason: String(cString: strerror(errno))) }
  }

  func send(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  func close() {
    Foundation.close(descriptor)
  }

  /// Reads until the text contains a mark, or the other side closes.
  func read(until mark: String) async -> String {
    await onQueue {
      var collected: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 65_536)
      while !String(decoding: collected, as: UTF8.self).contains(mark) {
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count <= 0 { break }
        collected += buffer.prefix(count)
      }
      return String(decoding: collected, as: UTF8.self)
    }
  }

  /// Reads until the other side closes.
  func readToEnd() async -> String {
    await read(until: "\u{0}never\u{0}")
  }

  /// Reads until the other side closes, keeping nothing.
  ///
  /// - Parameter took: called with each piece's size.
  /// - Returns: the number of bytes.
  func drain(_ took: @escaping @Sendable (Int) -> Void) async -> Int {
    await withCheckedContinuation { continuation in
      queue.async { [descriptor] in
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var total = 0
        while true {
          let count = recv(descriptor, &buffer, buffer.count, 0)
          if count <= 0 { break }
          total += count
          took(count)
        }
        continuation.resume(returning: total)
      }
    }
  }

  /// Sends the same bytes several times, as fast as the other side takes them.
  func send(_ bytes: [UInt8], times: Int) async {
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      queue.async { [descriptor] in
        for _ in 0..<times {
          var sent = 0
          while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
              Foundation.send(descriptor, buffer.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return continuation.resume() }
            sent += count
          }
        }
        continuation.resume()
      }
    }
  }

  private func onQueue(_ body: @escaping @Sendable () -> String) async -> String {
    await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: body()) } }
  }
}
