import EndpointKit
import HummingbirdCore
import MatrixPrimitives
import NIOCore
import Synchronization

/// The body of one request, read within bounds of size and time.
final class BodySource: IncomingBody {
  /// How long a client may take to send a body that is collected, or the next piece of one that is streamed.
  static let patience = Duration.seconds(120)

  private let body: RequestBody
  private let declaredLength: Int?
  private let channel: any Channel
  private let deadlines: DeadlineWatch
  private let drained = Atomic(false)
  private let pieces: Pieces

  /// The pieces of a body that is streamed. They are asked for one after the other, which makes `@unchecked Sendable` true.
  private final class Pieces: @unchecked Sendable {
    var iterator: RequestBody.AsyncIterator?
    var count = 0
    /// Set while a piece is awaited, and for good when it does not come: what follows would look like the end.
    var isBroken = false
  }

  init(_ request: HummingbirdCore.Request, channel: any Channel, deadlines: DeadlineWatch) {
    body = request.body
    pieces = Pieces()
    self.channel = channel
    self.deadlines = deadlines
    if let field = request.headers[.contentLength] {
      declaredLength = Int(field)
    } else {
      declaredLength = request.headers.contains(.transferEncoding) ? nil : 0
    }
    if declaredLength == 0 { drained.store(true, ordering: .relaxed) }
  }

  /// Whether the request has a body, or does not say how long it is.
  var isExpected: Bool { declaredLength != 0 }

  /// Whether nothing of the body is left on the connection, or so little that skipping it costs nothing.
  var isSpent: Bool {
    if drained.load(ordering: .relaxed) { return true }
    return declaredLength.map { $0 <= 65_536 } ?? false
  }

  func collect(limit: Int) async throws -> [UInt8] {
    guard isExpected else { return [] }
    if let declaredLength, declaredLength > limit { throw Self.tooLarge(limit) }
    let number = deadlines.schedule(in: Self.patience) { [channel] in channel.close(promise: nil) }
    defer { deadlines.cancel(number) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(declaredLength ?? 4_096)
    var chunks = body.makeAsyncIterator()
    while let chunk = try await next(&chunks) {
      guard chunk.readableBytes <= limit - bytes.count else { throw Self.tooLarge(limit) }
      bytes.append(contentsOf: chunk.readableBytesView)
    }
    if let declaredLength, bytes.count != declaredLength { throw CancellationError() }
    drained.store(true, ordering: .relaxed)
    return bytes
  }

  func next(limit: Int) async throws -> [UInt8]? {
    guard isExpected, !drained.load(ordering: .relaxed) else { return nil }
    if let declaredLength, declaredLength > limit { throw Self.tooLarge(limit) }
    guard !pieces.isBroken else { throw CancellationError() }
    pieces.isBroken = true
    let number = deadlines.schedule(in: Self.patience) { [channel] in channel.close(promise: nil) }
    defer { deadlines.cancel(number) }
    var iterator = pieces.iterator ?? body.makeAsyncIterator()
    let piece = try await next(&iterator)
    pieces.iterator = iterator
    guard let piece else {
      if let declaredLength, pieces.count != declaredLength { throw CancellationError() }
      drained.store(true, ordering: .relaxed)
      return nil
    }
    guard piece.readableBytes <= limit - pieces.count else { throw Self.tooLarge(limit) }
    pieces.count += piece.readableBytes
    pieces.isBroken = false
    return Array(piece.readableBytesView)
  }

  /// Waits for what comes next. Broken framing and a broken connection are alike: nothing sensible can be said to this client any more.
  private func next(_ chunks: inout RequestBody.AsyncIterator) async throws -> ByteBuffer? {
    do {
      return try await chunks.next()
    } catch {
      throw CancellationError()
    }
  }

  private static func tooLarge(_ limit: Int) -> MatrixError {
    .tooLarge("Request content is too large (>\(limit))")
  }
}
