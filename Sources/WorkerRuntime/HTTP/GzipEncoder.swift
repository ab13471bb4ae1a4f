import ByteText
import CZlib
import EndpointKit
import HTTPTypes

/// The compression of response bodies for clients that accept gzip.
///
/// One encoder is for one streamed body, whose pieces come one after the other, which makes `@unchecked Sendable` true.
final class GzipEncoder: @unchecked Sendable {
  /// The size in bytes below which bodies are sent as they are: the wrapper would outweigh the gain.
  static let smallestBody = 512

  /// Returns whether an `Accept-Encoding` field allows gzip. A quality of zero forbids it (RFC 9110, section 12.5.3).
  static func isAccepted(_ field: Text?) -> Bool {
    guard let field else { return false }
    for offer in field.asciiLowercased.split(separator: UInt8(ascii: ",")) {
      let parts = offer.split(separator: UInt8(ascii: ";")).map(\.trimmed)
      guard let coding = parts.first, coding == "gzip" || coding == "*" else { continue }
      let quality = parts.dropFirst().lazy.compactMap { $0.dropping(prefix: "q=") }.first
      return quality.flatMap { Double($0) } != 0
    }
    return false
  }

  /// Compresses a body.
  ///
  /// - Returns: nil when zlib refuses, for which it has no reason but want of memory.
  static func encode(_ body: [UInt8]) -> [UInt8]? {
    var stream = z_stream()
    guard let available = UInt32(exactly: body.count), czlib_gzip_init(&stream, 5) == Z_OK else { return nil }
    defer { deflateEnd(&stream) }
    let bound = Int(deflateBound(&stream, UInt(body.count)))
    guard let room = UInt32(exactly: bound) else { return nil }
    var input = body
    return input.withUnsafeMutableBufferPointer { source -> [UInt8]? in
      var finished = false
      let encoded = [UInt8](unsafeUninitializedCapacity: bound) { target, count in
        stream.next_in = source.baseAddress
        stream.avail_in = available
        stream.next_out = target.baseAddress
        stream.avail_out = room
        finished = deflate(&stream, Z_FINISH) == Z_STREAM_END
        count = bound - Int(stream.avail_out)
      }
      return finished ? encoded : nil
    }
  }

  // MARK: Streamed bodies

  private var stream = z_stream()

  /// Begins to compress a streamed body; nil when zlib refuses, for which it has no reason but want of memory.
  init?() {
    guard czlib_gzip_init(&stream, 5) == Z_OK else { return nil }
  }

  deinit { deflateEnd(&stream) }

  /// Makes a body that compresses another one piece by piece.
  static func compressing(_ body: BodyStream, with encoder: GzipEncoder) -> BodyStream {
    BodyStream { writer in
      var compressor: any BodyWriter = GzipWriter(encoder: encoder, base: writer)
      try await EndpointKit.ResponseBody.stream(body).write(to: &compressor)
      if let compressor = compressor as? GzipWriter { writer = compressor.base }
      try await writer.write(encoder.encode([], flush: Z_FINISH))
    }
  }

  /// Compresses a piece.
  ///
  /// - Returns: what zlib has ready, perhaps nothing.
  fileprivate func encode(_ piece: [UInt8], flush: Int32 = Z_NO_FLUSH) -> [UInt8] {
    var input = piece
    var output: [UInt8] = []
    input.withUnsafeMutableBufferPointer { source in
      stream.next_in = source.baseAddress
      stream.avail_in = UInt32(clamping: source.count)
      repeat {
        output += [UInt8](unsafeUninitializedCapacity: 16_384) { target, count in
          stream.next_out = target.baseAddress
          stream.avail_out = UInt32(clamping: target.count)
          _ = deflate(&stream, flush)
          count = target.count - Int(stream.avail_out)
        }
      } while stream.avail_out == 0
    }
    return output
  }
}

/// A writer that compresses what is written and passes it on.
private struct GzipWriter: BodyWriter {
  let encoder: GzipEncoder
  var base: any BodyWriter

  mutating func write(_ bytes: [UInt8]) async throws {
    let encoded = encoder.encode(bytes)
    if !encoded.isEmpty { try await base.write(encoded) }
  }
}
