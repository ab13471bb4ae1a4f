/// The body of a response.
public enum ResponseBody: Sendable {
  /// Bytes that are all there.
  case bytes([UInt8])
  /// Bytes that are made while they are sent.
  case stream(BodyStream)

  /// No body.
  public static let empty = ResponseBody.bytes([])

  /// The number of bytes; nil when it is not known beforehand.
  public var count: Int? {
    switch self {
    case .bytes(let bytes): bytes.count
    case .stream(let stream): stream.length
    }
  }

  /// The bytes, of a body that is not streamed.
  public var bytes: [UInt8]? {
    if case .bytes(let bytes) = self { bytes } else { nil }
  }

  /// Writes the body, whichever way it is made.
  public func write(to writer: inout any BodyWriter) async throws {
    switch self {
    case .bytes(let bytes): try await writer.write(bytes)
    case .stream(let stream): try await stream.produce(&writer)
    }
  }
}

/// A body that is made while it is sent.
public struct BodyStream: Sendable {
  /// A closure that writes the body, piece by piece. What it throws ends the connection, since the status has been
  /// sent.
  public typealias Producer = @Sendable (_ writer: inout any BodyWriter) async throws -> Void

  /// The number of bytes; nil when it is not known beforehand.
  public let length: Int?
  let produce: Producer

  /// Describes a body.
  ///
  /// - Parameters:
  ///   - length: the number of bytes that `produce` writes; nil when it is not known beforehand.
  ///   - produce: writes the body. It runs in the connection's task, after the router has answered; the endpoint's deadline has no hold on it.
  public init(length: Int? = nil, _ produce: @escaping Producer) {
    self.length = length
    self.produce = produce
  }
}

/// The way of a streamed body to the client.
public protocol BodyWriter {
  /// Sends a piece, and waits while the client is behind.
  ///
  /// - Throws: when the client has gone.
  mutating func write(_ bytes: [UInt8]) async throws
}
