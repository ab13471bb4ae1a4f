import MatrixPrimitives
import NIOCore

/// A client that waits in /sync until it is shown an event.
struct Watcher: Sendable {
  let connection: LoadConnection
  let account: Account
  let writer: RequestWriter
  private(set) var since: String

  init(_ target: Target, account: Account, since: String, loop: any EventLoop) async throws {
    connection = try await LoadConnection.connect(target, on: loop).get()
    writer = RequestWriter(target)
    self.account = account
    self.since = since
  }

  /// The request that waits. Presence is left alone: a thousand users who come online would be news by themselves.
  var request: ByteBuffer {
    let path = "/_matrix/client/v3/sync?timeout=60000&set_presence=offline&since=\(since)"
    return writer.request(
      "GET", path + "&filter=" + Path.filter(timeline: nil, lazy: true), token: account.token)
  }

  /// Waits until an answer has an event with a text in it.
  /// - Returns: When that answer was whole.
  mutating func wait(for text: String) async throws -> NIODeadline {
    while true {
      let (response, moment) = try await connection.exchange(request)
      guard response.status == 200, let body = response.body else {
        throw BenchError("/sync was answered \(response.status)")
      }
      let bytes = Array(body.readableBytesView)
      since = try JSONValue.parse(bytes).requireString("next_batch").string
      if String(decoding: bytes, as: UTF8.self).contains(text) { return moment }
    }
  }
}
