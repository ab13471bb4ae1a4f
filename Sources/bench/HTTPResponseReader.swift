import NIOCore

/// A reader of HTTP/1.1 responses from the pieces in which they arrive, with little more work than counting their
/// bytes.
///
/// A load generator must cost less than the server it measures: header fields are looked at only as far as they say where
/// a response ends, and a body is kept only when asked for.
struct HTTPResponseReader {
  /// One whole response.
  struct Response: Sendable {
    let status: Int
    let bodyLength: Int
    /// The body, when it was to be kept.
    let body: ByteBuffer?
    /// Whether the server will close the connection behind it.
    let closes: Bool
  }

  /// The fault in what the server sent.
  struct Malformed: Error, Equatable { let reason: String }

  private enum Part {
    case statusLine, fields
    case body(remaining: Int)
    case chunkSize, chunkEnd, trailers
    case chunk(remaining: Int)
    case untilClose
  }

  /// The limit on the length of a head; longer ones are refused.
  private static let maximumLine = 1 << 16

  private let keepsBody: Bool
  private var part = Part.statusLine
  private var line = ByteBuffer()
  private var status = 0
  private var contentLength: Int?
  private var isChunked = false
  private var closes = false
  private var bodyLength = 0
  private var body: ByteBuffer?

  init(keepsBody: Bool = false) {
    self.keepsBody = keepsBody
  }

  /// Takes what belongs to the response out of the input.
  /// - Returns: The response once it is whole; what follows it stays in the input.
  mutating func read(_ input: inout ByteBuffer) throws(Malformed) -> Response? {
    while true {
      switch part {
      case .body(let remaining):
        let rest = remaining - take(remaining, from: &input)
        part = .body(remaining: rest)
        guard rest == 0 else { return nil }
        return finished()
      case .untilClose:
        _ = take(.max, from: &input)
        return nil
      case .chunk(let remaining):
        let rest = remaining - take(remaining, from: &input)
        part = rest == 0 ? .chunkEnd : .chunk(remaining: rest)
        guard rest == 0 else { return nil }
      case .statusLine, .fields, .chunkSize, .chunkEnd, .trailers:
        guard try completeLine(&input) else { return nil }
        let ended = try lineEnded()
        line.clear()
        if ended { return finished() }
      }
    }
  }

  /// Ends the input: a response without a length is whole now.
  /// - Returns: Nil when no response had begun.
  mutating func end() throws(Malformed) -> Response? {
    switch part {
    case .untilClose:
      closes = true
      return finished()
    case .statusLine where line.readableBytes == 0: return nil
    default: throw Malformed(reason: "closed within a response")
    }
  }

  private mutating func take(_ limit: Int, from input: inout ByteBuffer) -> Int {
    let count = min(limit, input.readableBytes)
    guard count > 0, var piece = input.readSlice(length: count) else { return 0 }
    bodyLength += count
    if keepsBody, body?.writeBuffer(&piece) == nil { body = piece }
    return count
  }

  private mutating func finished() -> Response {
    let response = Response(
      status: status, bodyLength: bodyLength, body: keepsBody ? body ?? ByteBuffer() : nil, closes: closes)
    self = HTTPResponseReader(keepsBody: keepsBody)
    return response
  }

  /// Moves bytes up to the end of the line; false when the input ends before.
  private mutating func completeLine(_ input: inout ByteBuffer) throws(Malformed) -> Bool {
    let view = input.readableBytesView
    let end = view.firstIndex(of: UInt8(ascii: "\n"))
    let count = end.map { view.distance(from: view.startIndex, to: $0) } ?? view.count
    guard line.readableBytes + count <= Self.maximumLine else { throw Malformed(reason: "a line is too long") }
    if var piece = input.readSlice(length: count) {
      if line.readableBytes == 0 { line = piece } else { line.writeBuffer(&piece) }
    }
    guard end != nil else { return false }
    input.moveReaderIndex(forwardBy: 1)
    return true
  }

  /// Acts on a line; true when it ended the response.
  private mutating func lineEnded() throws(Malformed) -> Bool {
    var text = line.readableBytesView[...]
    if text.last == UInt8(ascii: "\r") { text.removeLast() }
    switch part {
    case .statusLine:
      status = try ResponseLine.status(text)
      part = .fields
    case .fields:
      if text.isEmpty { return try headEnded() }
      try field(text)
    case .chunkSize:
      let size = try ResponseLine.chunkSize(text)
      part = size == 0 ? .trailers : .chunk(remaining: size)
    case .chunkEnd:
      guard text.isEmpty else { throw Malformed(reason: "a chunk is longer than said") }
      part = .chunkSize
    case .trailers:
      return text.isEmpty
    case .body, .chunk, .untilClose: break
    }
    return false
  }

  private mutating func field(_ text: ByteBufferView) throws(Malformed) {
    guard let (name, value) = ResponseLine.field(text) else { throw Malformed(reason: "a header field has no colon") }
    if ResponseLine.equal(name, "content-length") {
      guard let length = ResponseLine.integer(value, radix: 10) else { throw Malformed(reason: "no content length") }
      contentLength = length
    } else if ResponseLine.equal(name, "transfer-encoding") {
      isChunked = ResponseLine.equal(value, "chunked")
    } else if ResponseLine.equal(name, "connection") {
      closes = ResponseLine.equal(value, "close")
    }
  }

  private mutating func headEnded() throws(Malformed) -> Bool {
    if (100..<200).contains(status) {
      self = HTTPResponseReader(keepsBody: keepsBody)
      return false
    }
    if status == 204 || status == 304 { return true }
    if isChunked {
      part = .chunkSize
    } else if let contentLength {
      part = .body(remaining: contentLength)
    } else {
      part = .untilClose
    }
    return false
  }
}
