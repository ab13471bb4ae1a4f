import MatrixPrimitives
import Synchronization

/// The body of a request whose bytes are all there already.
public final class BytesInHand: IncomingBody {
  private let rest: Mutex<[UInt8]>

  /// Whether there are any bytes.
  public let isExpected: Bool

  /// Takes the bytes.
  public init(_ bytes: [UInt8] = []) {
    rest = Mutex(bytes)
    isExpected = !bytes.isEmpty
  }

  /// Gives all bytes that are left.
  ///
  /// - Throws: 413 `M_TOO_LARGE` when there are more than `limit`.
  public func collect(limit: Int) throws(MatrixError) -> [UInt8] {
    let bytes = rest.withLock { rest in
      defer { rest = [] }
      return rest
    }
    guard bytes.count <= limit else { throw .tooLarge("Request content is too large (>\(limit))") }
    return bytes
  }

  /// Gives all bytes that are left as one piece; nil when there are none.
  ///
  /// - Throws: 413 `M_TOO_LARGE` when there are more than `limit`.
  public func next(limit: Int) throws(MatrixError) -> [UInt8]? {
    let bytes = try collect(limit: limit)
    return bytes.isEmpty ? nil : bytes
  }
}
