import Foundation
import Testing

@testable import WorkerRuntime

@Suite struct ServiceNotifierTests {
  @Test func `tells the service manager that the process is ready and stopping`() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("notify")
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0)
    let notifier = ServiceNotifier(environment: ["NOTIFY_SOCKET": path])
    notifier.ready()
    #expect(receive(descriptor) == "READY=1\nMAINPID=\(getpid())")
    notifier.stopping()
    #expect(receive(descriptor) == "STOPPING=1")
  }

  @Test(arguments: [
    [:], ["NOTIFY_SOCKET": ""], ["NOTIFY_SOCKET": "/nonexistent"],
    ["NOTIFY_SOCKET": String(repeating: "x", count: 300)],
  ])
  func `does nothing without a socket to tell`(environment: [String: String]) {
    ServiceNotifier(environment: environment).ready()
  }

  private func receive(_ descriptor: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 200)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
  }
}
