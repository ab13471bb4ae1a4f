import HTTPTypes
import MatrixPrimitives

/// Gives an endpoint's handler the request in decoded form.
public struct Request: Sendable {
  /// Holds the parts of a request, so that copies are cheap. Body and requester are set before the
  /// handler begins, which makes `@unchecked Sendable` true.
  final class Storage: @unchecked Sendable {
    let endpoint: Endpoint
    let path: Text
    let captures: [Capture]
    let query: QueryParameters
    let headers: HTTPFields
    var body: [UInt8] = []
    var requester: Requester?
    let accessToken: Text?
    let clientIP: Text
    let id: Text

    init(
      endpoint: Endpoint, path: Text, captures: [Capture], query: QueryParameters, incoming: IncomingRequest,
      accessToken: Text?, id: Text
    ) {
      self.endpoint = endpoint
      self.path = path
      self.captures = captures
      self.query = query
      headers = incoming.headers
      self.accessToken = accessToken
      clientIP = incoming.clientIP
      self.id = id
    }
  }

  /// Holds what a part of the path captured.
  struct Capture: Sendable {
    let name: Text
    /// The text, percent-decoded.
    let value: Text
    /// The text as sent.
    let raw: Substring
  }

  let storage: Storage
  /// The caller, or nil when the endpoint needs no token and none was sent.
  public var optionalRequester: Requester? { storage.requester }

  init(_ storage: Storage) {
    self.storage = storage
  }

  /// The endpoint that answers.
  public var endpoint: Endpoint { storage.endpoint }
  /// The endpoint's method; `.get` for a `HEAD` request.
  public var method: HTTPMethod { storage.endpoint.method }
  /// The path as sent, undecoded, without query.
  public var path: Text { storage.path }
  /// The body, at most the endpoint's limit.
  public var body: [UInt8] { storage.body }
  /// The token from `Authorization: Bearer` or the query's `access_token`.
  public var accessToken: Text? { storage.accessToken }
  /// The caller's address.
  public var clientIP: Text { storage.clientIP }
  /// The `User-Agent` header, or an empty string.
  public var userAgent: Text { storage.headers[.userAgent].map { Text($0) } ?? "" }
  /// Identifies the request in this process's log, such as `PUT-1234`.
  public var id: Text { storage.id }

  /// The caller.
  ///
  /// - Throws: 401 `M_MISSING_TOKEN` when the request carried no token, which the router already refuses where `auth` demands one.
  public var requester: Requester {
    get throws(MatrixError) {
      guard let optionalRequester else { throw AccessToken.missing() }
      return optionalRequester
    }
  }

  /// Finds a header field; nil when absent or when `name` is no field name.
  public func header(_ name: Text) -> Text? {
    HTTPField.Name(name.string).flatMap { storage.headers[$0] }.map { Text($0) }
  }
}

// MARK: - Captures

extension Request {
  /// Finds a capture of the path, percent-decoded.
  ///
  /// - Throws: 400 `M_MISSING_PARAM` when the matched path has no such capture.
  public func parameter(_ name: Text) throws(MatrixError) -> Text {
    guard let value = optionalParameter(name) else { throw .missingParam("Missing path parameter \(name)") }
    return value
  }

  /// Finds a capture of the path, percent-decoded; nil when the matched path has no such capture.
  public func optionalParameter(_ name: Text) -> Text? {
    storage.captures.first { $0.name == name }?.value
  }

  /// Divides a capture of the rest of the path at its slashes; each segment is percent-decoded by itself, so that an
  /// encoded slash divides nothing.
  ///
  /// - Throws: 400 `M_MISSING_PARAM` when the matched path has no such capture.
  public func segments(_ name: Text) throws(MatrixError) -> [Text] {
    guard let capture = storage.captures.first(where: { $0.name == name }) else {
      throw .missingParam("Missing path parameter \(name)")
    }
    let parts = capture.raw.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    // The whole is valid, so each part is: no character spans a slash.
    return parts.compactMap { PercentDecoding.decodePath(Substring($0)) }
  }

  /// Reads a capture as a room id.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when it is not one.
  public func roomID(_ name: Text = "roomID") throws(MatrixError) -> RoomID {
    let text = try parameter(name)
    guard let value = RoomID(text) else { throw .invalidParam("'\(text)' is not a valid room ID") }
    return value
  }

  /// Reads a capture as a user id.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when it is not one.
  public func userID(_ name: Text = "userID") throws(MatrixError) -> UserID {
    let text = try parameter(name)
    guard let value = UserID(text) else { throw .invalidParam("'\(text)' is not a valid user ID") }
    return value
  }

  /// Reads a capture as an event id.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when it is not one.
  public func eventID(_ name: Text = "eventID") throws(MatrixError) -> EventID {
    let text = try parameter(name)
    guard let value = EventID(text) else { throw .invalidParam("'\(text)' is not a valid event ID") }
    return value
  }

  /// Reads a capture as a room alias.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when it is not one.
  public func roomAlias(_ name: Text = "roomAlias") throws(MatrixError) -> RoomAlias {
    let text = try parameter(name)
    guard let value = RoomAlias(text) else { throw .invalidParam("'\(text)' is not a valid room alias") }
    return value
  }
}

// MARK: - Query

extension Request {
  /// Finds the first value of a query parameter, decoded.
  public func queryValue(_ name: Text) -> Text? {
    storage.query.first(name)
  }

  /// Lists all values of a repeated query parameter, decoded.
  public func queryValues(_ name: Text) -> [Text] {
    storage.query.all(name)
  }

  /// Lists the names of all query parameters with their values, decoded, in order.
  public var queryItems: [(name: Text, value: Text)] {
    storage.query.items
  }

  /// Finds the first value of a query parameter that must be there.
  ///
  /// - Throws: 400 `M_MISSING_PARAM` when absent.
  public func requireQueryValue(_ name: Text) throws(MatrixError) -> Text {
    guard let value = queryValue(name) else { throw .missingParam("Missing required string query parameter \(name)") }
    return value
  }

  /// Reads a query parameter as an integer that is not negative.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when present and not such an integer.
  public func queryInteger(_ name: Text) throws(MatrixError) -> Int? {
    guard let text = queryValue(name) else { return nil }
    guard let value = Int(text) else { throw .invalidParam("Query parameter \(name) must be an integer") }
    guard value >= 0 else { throw .invalidParam("Query parameter \(name) must be a positive integer.") }
    return value
  }

  /// Reads a query parameter as an integer that is not negative, with a default for its absence.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when present and not such an integer.
  public func queryInteger(_ name: Text, default: Int) throws(MatrixError) -> Int {
    try queryInteger(name) ?? `default`
  }

  /// Reads a query parameter as `true` or `false`.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when present and neither.
  public func queryBool(_ name: Text) throws(MatrixError) -> Bool? {
    switch queryValue(name) {
    case nil: nil
    case "true": true
    case "false": false
    default: throw .invalidParam("Boolean query parameter '\(name)' must be one of ['true', 'false']")
    }
  }

  /// Reads a query parameter as `true` or `false`, with a default for its absence.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when present and neither.
  public func queryBool(_ name: Text, default: Bool) throws(MatrixError) -> Bool {
    try queryBool(name) ?? `default`
  }
}

// MARK: - Body

extension Request {
  /// Parses the body as a JSON object.
  ///
  /// - Parameter maximumDepth: how many containers may be open at once.
  /// - Throws: 400 `M_NOT_JSON` when it is no JSON (an empty body is none), `M_BAD_JSON` when it is no object.
  public func jsonObject(maximumDepth: Int = JSONDocument.receivedDepth) throws(MatrixError) -> JSONValue {
    let value: JSONValue
    do {
      value = try JSONValue.parse(storage.body, maximumDepth: maximumDepth)
    } catch {
      throw .notJSON("Content not JSON.")
    }
    guard value.members != nil else { throw .badJSON("Content must be a JSON object.") }
    return value
  }

  /// Parses the body as a JSON object; an empty body counts as `{}`.
  ///
  /// - Throws: as `jsonObject()`.
  public func jsonObjectOrEmpty(maximumDepth: Int = JSONDocument.receivedDepth) throws(MatrixError) -> JSONValue {
    guard storage.body.isEmpty else { return try jsonObject(maximumDepth: maximumDepth) }
    do {
      return try JSONValue.parse("{}")
    } catch {
      throw .notJSON("Content not JSON.")
    }
  }
}
