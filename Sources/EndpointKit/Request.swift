import HTTPTypes
import MatrixPrimitives

/// A request in decoded form, as an endpoint's handler gets it.
public struct Request: Sendable {
  /// The parts of a request, in one object so that copies are cheap. Body and caller are set before the
  /// handler begins, which makes `@unchecked Sendable` true.
  final class Storage: @unchecked Sendable {
    let endpoint: Endpoint
    let path: Text
    let target: Text
    let captures: [Capture]
    let query: QueryParameters
    let headers: HTTPFields
    var body: [UInt8] = []
    var requester: Requester?
    var origin: Text?
    /// What is left to be read of a streamed body.
    let incoming: (any IncomingBody)?
    let accessToken: Text?
    let clientIP: Text
    let id: Text

    init(
      endpoint: Endpoint, path: Text, captures: [Capture], query: QueryParameters, incoming: IncomingRequest,
      accessToken: Text?, id: Text
    ) {
      self.endpoint = endpoint
      self.path = path
      target = incoming.target
      self.captures = captures
      self.query = query
      headers = incoming.headers
      if case .streamed = endpoint.body { self.incoming = incoming.body } else { self.incoming = nil }
      self.accessToken = accessToken
      clientIP = incoming.clientIP
      self.id = id
    }
  }

  /// What a part of the path captured.
  struct Capture: Sendable {
    let name: Text
    /// The text, percent-decoded.
    let value: Text
    /// The text as sent.
    let raw: Substring
  }

  let storage: Storage

  init(_ storage: Storage) {
    self.storage = storage
  }

  /// The endpoint that answers.
  public var endpoint: Endpoint { storage.endpoint }
  /// The endpoint's method; `.get` for a `HEAD` request.
  public var method: HTTPMethod { storage.endpoint.method }
  /// The path as sent, undecoded, without query.
  public var path: Text { storage.path }
  /// Path and query as sent.
  public var target: Text { storage.target }
  /// The header fields.
  public var headers: HTTPFields { storage.headers }
  /// The collected body, at most the endpoint's limit; empty where the endpoint streams it.
  public var body: [UInt8] { storage.body }
  /// The token from `Authorization: Bearer` or the query's `access_token`.
  public var accessToken: Text? { storage.accessToken }
  /// Whether the request carries an access token, also where the endpoint does not look at it.
  public var hasAccessToken: Bool {
    storage.headers.contains(.authorization) || storage.query.first("access_token") != nil
  }
  /// The caller's address.
  public var clientIP: Text { storage.clientIP }
  /// The `User-Agent` header, or an empty string.
  public var userAgent: Text { storage.headers[.userAgent].map { Text($0) } ?? "" }
  /// The request's identifier in this process's log, such as `PUT-1234`.
  public var id: Text { storage.id }

  /// The account that the router has admitted.
  ///
  /// - Throws: 401 `M_MISSING_TOKEN` when the request carried no token, which the router refuses where the endpoint demands one.
  var admittedRequester: Requester {
    get throws(MatrixError) {
      guard let requester = storage.requester else { throw AccessToken.missing() }
      return requester
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

  /// Reads a capture as an identifier, such as `try request.identifier("roomID") as RoomID`.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when it is not one.
  public func identifier<ID: MatrixIdentifier>(_ name: Text) throws(MatrixError) -> ID {
    try ID(checking: try parameter(name))
  }

  /// The capture `roomID`.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when it is not a room id.
  public var roomID: RoomID {
    get throws(MatrixError) { try identifier("roomID") }
  }

  /// The capture `userID`.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when it is not a user id.
  public var userID: UserID {
    get throws(MatrixError) { try identifier("userID") }
  }

  /// The capture `eventID`.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when it is not an event id.
  public var eventID: EventID {
    get throws(MatrixError) { try identifier("eventID") }
  }

  /// The capture `roomAlias`.
  ///
  /// - Throws: 400 `M_INVALID_PARAM` when it is not a room alias.
  public var roomAlias: RoomAlias {
    get throws(MatrixError) { try identifier("roomAlias") }
  }

  /// Returns the capture `userID`, which has to be the caller.
  ///
  /// - Parameters:
  ///   - caller: who calls.
  ///   - refusal: what anybody else is told.
  /// - Throws: 403 `M_FORBIDDEN` when the path names anybody else.
  public func owner(_ caller: some AccountHolder, else refusal: Text) throws(MatrixError) -> UserID {
    guard try parameter("userID") == caller.userID.rawValue else { throw .forbidden(refusal) }
    return caller.userID
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

  /// All query parameters with their names and values, decoded, in order.
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

extension Request {
  /// Reads a query parameter as one of several words.
  ///
  /// - Parameter choices: the words with their meanings, in the order in which an error lists them.
  /// - Throws: 400 `M_INVALID_PARAM` when present and none of them.
  public func queryChoice<T>(_ name: Text, _ choices: KeyValuePairs<Text, T>) throws(MatrixError) -> T? {
    guard let text = queryValue(name) else { return nil }
    guard let choice = choices.first(where: { $0.key == text }) else {
      let words = choices.map { "'\($0.key)'" }.joined(separator: ", ")
      throw .invalidParam("Query parameter \(name) must be one of [\(words)]")
    }
    return choice.value
  }
}

// MARK: - Body

extension Request {
  /// Finds a value in the query or, where it is not there, in a form-encoded body.
  public func formValue(_ name: Text) -> Text? {
    if let value = queryValue(name) { return value }
    guard let text = Text(validating: storage.body, as: UTF8.self) else { return nil }
    return QueryParameters(Substring(text.string))?.first(name)
  }

  /// Finds a value in the query or in a form-encoded body that must be there.
  ///
  /// - Throws: 400 `M_MISSING_PARAM` when absent.
  public func requireFormValue(_ name: Text) throws(MatrixError) -> Text {
    guard let value = formValue(name) else { throw .missingParam("Missing required string query parameter \(name)") }
    return value
  }

  /// Waits for the next piece of a streamed body; the client is held back until it is asked for. Calls come one after the other.
  ///
  /// - Returns: nil at the end of the body.
  /// - Throws: 413 `M_TOO_LARGE` as soon as more than the endpoint's limit is declared or has come, `CancellationError` when the connection breaks.
  public func nextPiece() async throws -> [UInt8]? {
    try await storage.incoming?.next(limit: endpoint.body.limit)
  }

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
