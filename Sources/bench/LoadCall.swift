import NIOCore

/// One request on a connection, and who is told how it ended.
struct LoadCall: Sendable {
  /// How a request ended.
  enum Outcome: Sendable {
    case answered(HTTPResponseReader.Response)
    /// No whole response came; the text says why.
    case broken(String)
  }

  let bytes: ByteBuffer
  let keepsBody: Bool
  /// Called once, on the connection's event loop.
  let ended: @Sendable (Outcome) -> Void

  init(_ bytes: ByteBuffer, keepsBody: Bool = false, ended: @escaping @Sendable (Outcome) -> Void) {
    self.bytes = bytes
    self.keepsBody = keepsBody
    self.ended = ended
  }
}
