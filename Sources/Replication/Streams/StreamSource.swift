import ByteText
import MatrixPrimitives

/// The rows that one writer made under one token; they are delivered together.
public struct StreamBatch: Sendable {
  /// The stream.
  public let stream: StreamName
  /// The name of the instance that wrote the rows.
  public let instanceName: Text
  /// The rows' common token.
  public let token: Int64
  /// The rows in the order in which they were sent.
  public let rows: [StreamRow]

  /// Groups rows under a token.
  /// - Parameters:
  ///   - stream: stream of the rows.
  ///   - instanceName: the writer.
  ///   - token: their common token.
  ///   - rows: rows in sending order.
  public init(stream: StreamName, instanceName: Text, token: Int64, rows: [StreamRow]) {
    self.stream = stream
    self.instanceName = instanceName
    self.token = token
    self.rows = rows
  }
}

/// A page of rows that a catch-up found.
public struct StreamUpdates: Sendable {
  /// The rows with their tokens, tokens not descending.
  public var rows: [(token: Int64, row: StreamRow)]
  /// The token up to which `rows` is complete.
  public var upTo: Int64
  /// Whether more rows exist behind `upTo`.
  public var isLimited: Bool

  /// Makes a page.
  /// - Parameters:
  ///   - rows: rows with tokens, tokens not descending.
  ///   - upTo: token up to which the rows are complete.
  ///   - limited: whether more rows follow behind `upTo`.
  public init(rows: [(token: Int64, row: StreamRow)], upTo: Int64, limited: Bool) {
    self.rows = rows
    self.upTo = upTo
    self.isLimited = limited
  }
}

/// The positions of one stream, and the search for rows that were missed.
///
/// The hub calls it from several tasks at once. Neither `currentToken` nor `advance` may call the hub.
public protocol StreamSource: AnyObject, Sendable {
  /// The stream.
  var stream: StreamName { get }

  /// Returns how far the rows of a writer are known here; for the own instance: how far they are finished.
  /// - Parameter instance: name of the writer.
  func currentToken(of instance: Text) -> Int64

  /// Records that the rows of another writer were applied up to a token.
  ///
  /// For streams with volatile tokens the token may be lower than before: the writer restarted, and everything
  /// remembered from it is void.
  /// - Parameters:
  ///   - instance: name of the writer.
  ///   - token: its new position.
  func advance(_ instance: Text, to token: Int64)

  /// Reads the rows with `from < token <= to` that an instance wrote, a page at a time.
  ///
  /// For streams that catch up over HTTP the hub asks this only for rows of the own instance; `from` is then larger
  /// than `to` when the asking process has seen an earlier life of this one: answer with everything still held.
  /// - Parameters:
  ///   - instance: name of the writer.
  ///   - from: exclusive lower bound.
  ///   - to: inclusive upper bound.
  ///   - limit: number of rows to aim at; rows of one token are never divided.
  func updates(of instance: Text, from: Int64, to: Int64, limit: Int) async throws -> StreamUpdates

  /// The own position without what is only known from other writers; sent along with HTTP calls.
  var minimalLocalToken: Int64? { get }
}

extension StreamSource {
  /// None: the stream has no position other than `currentToken` of the own instance.
  public var minimalLocalToken: Int64? { nil }
}
