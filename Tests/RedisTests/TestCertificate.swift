import ByteText
import Foundation
import NIOCore
import NIOPosix

/// A self-signed certificate for `localhost`, made with the `openssl` command.
struct TestCertificate {
  let certificatePath: String
  let keyPath: String
  let freePort: Int

  init() throws {
    let folder: String = "/tmp/myelin-tls-\(UUID().uuidString.prefix(13))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    certificatePath = "\(folder)/certificate.pem"
    keyPath = "\(folder)/key.pem"
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", keyPath, "-out", certificatePath,
    ]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw CocoaError(.fileNoSuchFile) }
    // A port that was free a moment ago; the kernel does not give it out again soon.
    let probe = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0)
      .wait()
    guard let port = probe.localAddress?.port else { throw CocoaError(.fileNoSuchFile) }
    freePort = port
    try probe.close().wait()
  }
}
