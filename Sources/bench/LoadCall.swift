import NIOCore

/// One request on a connection, with the receiver of its outcome.
struct LoadCall: Sendable {
  /// The outcome of a request.
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
