import Foundation

/// A folder of its own, removed with all content at the end.
final class TemporaryFolder {
  private let url: URL

  init() throws {
    // Short, since paths of unix sockets are limited to 107 bytes.
    url = URL(fileURLWithPath: "/tmp/myelin-\(UInt32.random(in: 0 ... .max))")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
  }

  deinit {
    try? FileManager.default.removeItem(at: url)
  }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).sorted() }
}
