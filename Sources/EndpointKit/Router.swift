import HTTPTypes
import Logging
import MatrixPrimitives
import Replication
import Synchronization

/// Routes requests to endpoints and turns every outcome into a Matrix response.
///
/// One router serves one listener. It answers `OPTIONS` and unknown paths itself, reads and bounds the body, authenticates, runs the handler
/// under the endpoint's deadline, and maps errors: `MatrixError` as it is, cancellation silently, anything else 500.
public struct Router: Sendable {
  /// Finds the caller of an access token; throws `MatrixError` for a token that is not valid.
  public typealias Authenticator = @Sendable (_ accessToken: String, _ request: Request) async throws -> Requester

  /// Supplies what the router needs from the process around it.
  public struct Settings: Sendable {
    /// Finds callers.
    public var authenticate: Authenticator
    /// The secret that other processes of the cluster send; nil accepts them without.
    public var replicationSecret: String?
    /// Enforces deadlines; its `run()` belongs to the process.
    public var deadlines: DeadlineWatch
    /// Recognizes errors that the request is to blame for, which are answered with what it returns instead of 500.
    public var refusal: @Sendable (any Error) -> MatrixError?
    /// Receives causes of 500s.
    public var logger: Logger
    /// Told about each request after its response was made.
    public var onFinish: @Sendable (RequestRecord) -> Void

    /// Gathers the settings.
    ///
    /// - Parameters:
    ///   - authenticate: finds callers; without it every token is unknown.
    ///   - replicationSecret: `worker_replication_secret`.
    ///   - deadlines: enforces deadlines.
    ///   - refusal: recognizes errors of lower layers that the request is to blame for.
    ///   - logger: receives causes of 500s.
    ///   - onFinish: for access log and metrics.
    public init(
      authenticate: @escaping Authenticator = { _, _ in throw MatrixError.unknownToken() },
      replicationSecret: String? = nil, deadlines: DeadlineWatch = DeadlineWatch(),
      refusal: @escaping @Sendable (any Error) -> MatrixError? = { _ in nil },
      logger: Logger = Logger(label: "myelin.http"), onFinish: @escaping @Sendable (RequestRecord) -> Void = { _ in }
    ) {
      self.authenticate = authenticate
      self.replicationSecret = replicationSecret
      self.deadlines = deadlines
      self.refusal = refusal
      self.logger = logger
      self.onFinish = onFinish
    }
  }

  let settings: Settings
  private let table: RouteTable
  private let counter = RequestCounter()

  /// Builds the routing table.
  ///
  /// - Parameters:
  ///   - endpoints: all endpoints of the listener.
  ///   - settings: what the process supplies.
  public init(_ endpoints: [Endpoint], settings: Settings = Settings()) {
    table = RouteTable(endpoints)
    self.settings = settings
  }

  /// Lists pairs of endpoints declared for the same method and path, of which only the first is reachable. Empty in a sound program.
  public var conflicts: [String] { table.conflicts }

  /// Finds which endpoint a request is for, before its body is read.
  public func route(_ incoming: IncomingRequest) -> Route {
    let target = incoming.target.utf8
    let divider = target.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
    let path = Substring(target[..<divider])
    let query = Substring(target[divider...].dropFirst())
    guard let method = HTTPMethod(rawValue: incoming.method) else { return Route(.wrongMethod, path, query) }
    switch method {
    case .options: return Route(.preflight, path, query)
    case .head: return Route(found: table.find(.get, path), path, query)
    default: return Route(found: table.find(method, path), path, query)
    }
  }

  /// Answers a request.
  ///
  /// - Returns: nil when the work was cancelled because the client has gone; the connection is then to be closed.
  public func respond(to incoming: IncomingRequest) async -> Response? {
    await respond(to: incoming, along: route(incoming))
  }

  /// Answers a request whose endpoint has been found already.
  ///
  /// - Parameters:
  ///   - incoming: the request.
  ///   - route: what `route(_:)` returned for it.
  /// - Returns: nil when the work was cancelled because the client has gone; the connection is then to be closed.
  public func respond(to incoming: IncomingRequest, along route: Route) async -> Response? {
    let started = ContinuousClock.now
    let id = counter.next(incoming.method)
    var user: String?
    var response = await answer(incoming, route, id, &user)
    if var answered = response {
      if route.endpoint?.auth != .replication { ResponseHeaders.addCORS(&answered.headers) }
      ResponseHeaders.addCacheControl(&answered.headers)
      response = answered
    }
    settings.onFinish(
      RequestRecord(
        id: id, endpoint: route.endpoint?.name, method: incoming.method, route: route,
        status: response?.status, responseBytes: response?.body.count ?? 0, user: user,
        clientIP: incoming.clientIP, userAgent: incoming.headers[.userAgent] ?? "-",
        duration: ContinuousClock.now - started))
    return response
  }

  private func answer(
    _ incoming: IncomingRequest, _ route: Route, _ id: String, _ user: inout String?
  ) async -> Response? {
    do {
      switch route.outcome {
      case .preflight: return Response(status: 204)
      case .notFound: throw MatrixError.unrecognized()
      case .wrongMethod: throw MatrixError.methodNotAllowed()
      case .endpoint(let endpoint, let names, let values):
        let captures = try Self.decode(names, values)
        var request = try await read(incoming, endpoint, route, captures, id)
        request.optionalRequester = try await authenticate(request)
        user = request.optionalRequester?.userID.rawValue
        return try await run(endpoint, request, incoming)
      }
    } catch {
      return respond(toError: error, id: id, route: route)
    }
  }

  private static func decode(_ names: [String], _ values: [Substring]) throws(MatrixError) -> [Request.Capture] {
    var decoded: [Request.Capture] = []
    decoded.reserveCapacity(names.count)
    for (name, value) in zip(names, values) {
      guard let text = PercentDecoding.decodePath(value) else {
        throw .invalidParam("Path parameter \(name) is not percent-encoded UTF-8")
      }
      decoded.append(Request.Capture(name: name, value: text, raw: value))
    }
    return decoded
  }

  private func read(
    _ incoming: IncomingRequest, _ endpoint: Endpoint, _ route: Route, _ captures: [Request.Capture], _ id: String
  ) async throws -> Request {
    guard let query = QueryParameters(route.query) else {
      throw MatrixError.invalidParam("Query parameters must be utf-8")
    }
    let token = endpoint.auth == .none ? nil : try AccessToken.find(incoming.headers, query)
    let body = try await incoming.body(endpoint.bodyLimit)
    return Request(
      Request.Storage(
        endpoint: endpoint, path: String(route.path), captures: captures, query: query, incoming: incoming,
        body: body, accessToken: token, id: id))
  }

  private func authenticate(_ request: Request) async throws -> Requester? {
    let auth = request.endpoint.auth
    switch auth {
    case .none:
      return nil
    case .replication:
      guard let secret = settings.replicationSecret else { return nil }
      guard let token = request.accessToken, AccessToken.isEqual(token, secret) else {
        throw MatrixError.custom(
          status: 401, errcode: "M_UNAUTHORIZED", message: "Invalid replication secret", extras: [:])
      }
      return nil
    case .optional, .required, .guestAllowed:
      guard let token = request.accessToken else {
        if auth == .optional { return nil }
        throw AccessToken.missing()
      }
      let requester = try await settings.authenticate(token, request)
      if requester.isGuest && auth == .required { throw MatrixError.guestAccessForbidden() }
      return requester
    }
  }

  /// Runs the handler as a task of its own, so that deadline and hang-up can cancel it without ending the connection's task.
  private func run(_ endpoint: Endpoint, _ request: Request, _ incoming: IncomingRequest) async throws -> Response {
    if let response = try await endpoint.shortcut?(request) { return response }
    if endpoint.isBrief { return try await endpoint.handler(request) }
    let cause = CancellationCause()
    let task = Task { try await endpoint.handler(request) }
    let number = endpoint.deadline.map { limit in
      settings.deadlines.schedule(in: limit) {
        cause.note(.deadline)
        task.cancel()
      }
    }
    if endpoint.cancelsOnDisconnect {
      incoming.onDisconnect {
        cause.note(.disconnect)
        task.cancel()
      }
    }
    defer {
      if let number { settings.deadlines.cancel(number) }
      if endpoint.cancelsOnDisconnect { incoming.onDisconnect(nil) }
    }
    do {
      return try await withTaskCancellationHandler {
        try await task.value
      } onCancel: {
        if endpoint.cancelsOnDisconnect { task.cancel() }
      }
    } catch let error as MatrixError {
      throw error
    } catch {
      // What a cancelled socket or pool throws varies, so the cause decides and not the error.
      switch cause.value {
      case .none: throw error
      case .disconnect: throw CancellationError()
      case .deadline:
        throw MatrixError.custom(status: 504, errcode: "M_UNKNOWN", message: "The request took too long", extras: [:])
      }
    }
  }
}
