import HTTPTypes
import MatrixPrimitives

/// An answer: status, header fields and body.
public struct Response: Sendable {
  /// The HTTP status code.
  public var status: Int
  /// The header fields; the router adds CORS fields and a `Cache-Control` where none is set.
  public var headers: HTTPFields
  /// The body.
  public var body: ResponseBody

  /// Makes a response from its parts.
  public init(status: Int = 200, headers: HTTPFields = [:], body: ResponseBody = .empty) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// Answers with a JSON tree.
  public static func json(_ json: JSON, status: Int = 200) -> Response {
    encoded(json.encoded, status: status)
  }

  /// Answers with JSON written directly, without a tree; the way for large or frequent answers.
  ///
  /// - Parameters:
  ///   - status: HTTP status.
  ///   - build: writes exactly one value.
  public static func json(
    status: Int = 200, _ build: (inout JSONWriter) throws -> Void
  ) rethrows -> Response {
    var writer = JSONWriter()
    try build(&writer)
    return encoded(writer.bytes, status: status)
  }

  /// Answers with bytes that are JSON already.
  public static func encoded(_ bytes: [UInt8], status: Int = 200) -> Response {
    Response(status: status, headers: jsonHeaders, body: .bytes(bytes))
  }

  /// Answers with a body that is made while it is sent.
  ///
  /// - Parameters:
  ///   - contentType: the media type.
  ///   - length: the number of bytes; nil when it is not known beforehand.
  ///   - status: HTTP status.
  ///   - produce: writes the body.
  public static func stream(
    contentType: Text = "application/json", length: Int? = nil, status: Int = 200,
    _ produce: @escaping BodyStream.Producer
  ) -> Response {
    Response(
      status: status, headers: [.contentType: contentType.string], body: .stream(BodyStream(length: length, produce)))
  }

  /// The answer 200 with `{}`.
  public static let emptyObject = encoded(Array("{}".utf8))

  /// Answers with text.
  ///
  /// - Parameters:
  ///   - text: the body.
  ///   - contentType: the media type, with its character set.
  ///   - status: HTTP status.
  public static func text(
    _ text: Text, contentType: Text = "text/plain; charset=utf-8", status: Int = 200
  ) -> Response {
    Response(status: status, headers: [.contentType: contentType.string], body: .bytes(Array(text.utf8)))
  }

  /// Answers with a page that no other site may frame.
  public static func html(_ html: Text, status: Int = 200) -> Response {
    var response = text(html, contentType: "text/html; charset=utf-8", status: status)
    response.setHeader("X-Frame-Options", "DENY")
    response.setHeader("Content-Security-Policy", "frame-ancestors 'none';")
    return response
  }

  /// Sends the client elsewhere with 302.
  public static func redirect(to location: Text) -> Response {
    Response(status: 302, headers: [.location: location.string])
  }

  /// Sets a header field by name; a name that is not valid in HTTP is ignored.
  public mutating func setHeader(_ name: Text, _ value: Text) {
    guard let name = HTTPField.Name(name.string) else { return }
    headers[name] = value.string
  }

  private static let jsonHeaders: HTTPFields = [.contentType: "application/json"]
}
