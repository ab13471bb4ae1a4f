import ByteText
import Dispatch
import Stores
import Synchronization

/// The target that reads text as clients' sync tokens, one or two with a space between, and writes and compares them.
enum TokenTarget {
  static func run(_ bytes: [UInt8]) throws {
    let text = Text(decoding: bytes, as: UTF8.self)
    let done = DispatchSemaphore(value: 0)
    let failure = Mutex<(any Error)?>(nil)
    // Reading a token is written as async because names of writers may come from the database; here nothing waits.
    Task.detached {
      do {
        try await check(text)
      } catch {
        failure.withLock { $0 = error }
      }
      done.signal()
    }
    done.wait()
    if let error = failure.withLock({ $0 }) { throw error }
  }

  private static func check(_ text: Text) async throws {
    let parts = text.split(separator: UInt8(ascii: " "), maxSplits: 1)
    var tokens: [StreamToken] = []
    for part in parts {
      guard let token = try await StreamToken.parse(part, directory: Writers()) else { continue }
      tokens.append(token)
      let written = try await token.text(directory: Writers())
      try BrokenProperty.require(
        try await StreamToken.parse(written, directory: Writers()) == token,
        "a token that is written and read again is the same")
    }
    guard let first = tokens.first, let last = tokens.last else { return }
    try check(first.receipt, last.receipt)
    try check(first.room.position, last.room.position)
  }

  private static func check(_ a: MultiWriterToken, _ b: MultiWriterToken) throws {
    let both = a.advanced(to: b)
    try BrokenProperty.require(a.isBeforeOrEqual(both) && b.isBeforeOrEqual(both), "what is after both is after each")
    try BrokenProperty.require(both == b.advanced(to: a), "it does not matter which of two points comes first")
    let bound = min(a.maximum, b.stream)
    try BrokenProperty.require(a.bounded(by: bound).maximum <= bound, "bounds hold")
    _ = (a.covers(b.stream, instance: "one"), a.covers(b.stream, instance: nil))
  }

  private struct Writers: InstanceDirectory {
    func instanceID(forName name: Text) async throws -> Int64 { name == "one" ? 1 : 2 }
    func instanceName(forID id: Int64) async throws -> Text? { [1: "one", 2: "two"][id] }
  }
}
