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
    let exchange = Exchange(incoming, route, id: counter.next(incoming.method))
    return finish(exchange, await answer(exchange))
  }

  /// Holds what is known of a request until it is answered; one object, since requests that wait keep it.
  private final class Exchange {
    let started = ContinuousClock.now
    let incoming: IncomingRequest
    let route: Route
    let id: String
    var user: String?

    init(_ incoming: IncomingRequest, _ route: Route, id: String) {
      self.incoming = incoming
      self.route = route
      self.id = id
    }
  }

  // What follows runs in the connection's task, which keeps for as long as the connection lives whatever its deepest call took. So
  // what need not wait is kept apart, and its variables with it.

  @inline(never)
  private func finish(_ exchange: Exchange, _ answer: Response?) -> Response? {
    var response = answer
    if var answered = response {
      if exchange.route.endpoint?.auth != .replication { ResponseHeaders.addCORS(&answered.headers) }
      ResponseHeaders.addCacheControl(&answered.headers)
      response = answered
    }
    let incoming = exchange.incoming
    settings.onFinish(
      RequestRecord(
        id: exchange.id, endpoint: exchange.route.endpoint?.name, method: incoming.method, route: exchange.route,
        status: response?.status, responseBytes: response?.body.count ?? 0, user: exchange.user,
        clientIP: incoming.clientIP, userAgent: incoming.headers[.userAgent] ?? "-",
        duration: ContinuousClock.now - exchange.started))
    return response
  }

  private func answer(_ exchange: Exchange) async -> Response? {
    do {
      switch try await begin(exchange) {
      case .answered(let response): return response
      case .deferred(let deferred): return try await wait(for: deferred, exchange.incoming)
      }
    } catch {
      return respond(toError: error, id: exchange.id, route: exchange.route)
    }
  }

  private enum Begun {
    case answered(Response)
    case deferred(DeferredResponse)
  }

  /// Answers a request unless it may have to wait for long. In that case the decoded request goes when this returns.
  private func begin(_ exchange: Exchange) async throws -> Begun {
    guard let storage = try request(exchange) else { return .answered(Response(status: 204)) }
    if exchange.incoming.hasBody { storage.body = try await exchange.incoming.body(storage.endpoint.bodyLimit) }
    let request = Request(storage)
    if let token = try token(request) { try await authenticate(request, token) }
    exchange.user = storage.requester?.userID.rawValue
    let endpoint = storage.endpoint
    if let response = try await endpoint.shortcut?(request) { return .answered(response) }
    switch endpoint.work {
    case .brief(let handler): return .answered(try await handler(request))
    case .usual(let handler): return .answered(try await run(handler, request, exchange.incoming))
    case .deferred(let begin): return .deferred(deferred(begin, request))
    }
  }

  /// Decodes the head of a request; nil for one that only asks what is allowed.
  @inline(never)
  private func request(_ exchange: Exchange) throws -> Request.Storage? {
    let (incoming, route) = (exchange.incoming, exchange.route)
    switch route.outcome {
    case .preflight: return nil
    case .notFound: throw MatrixError.unrecognized()
    case .wrongMethod: throw MatrixError.methodNotAllowed()
    case .endpoint(let endpoint, let names, let values):
      let captures = try Self.decode(names, values)
      guard let query = QueryParameters(route.query) else {
        throw MatrixError.invalidParam("Query parameters must be utf-8")
      }
      return Request.Storage(
        endpoint: endpoint, path: String(route.path), captures: captures, query: query, incoming: incoming,
        accessToken: endpoint.auth == .none ? nil : try AccessToken.find(incoming.headers, query), id: exchange.id)
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

  private func authenticate(_ request: Request, _ token: String) async throws {
    try admit(try await settings.authenticate(token, request), to: request)
  }

  @inline(never)
  private func admit(_ requester: Requester, to request: Request) throws(MatrixError) {
    if requester.isGuest, request.endpoint.auth == .required { throw MatrixError.guestAccessForbidden() }
    request.storage.requester = requester
  }

  /// Gives the token of the user that is to be found; nil when none is needed.
  @inline(never)
  private func token(_ request: Request) throws(MatrixError) -> String? {
    switch request.endpoint.auth {
    case .none: return nil
    case .replication:
      guard let secret = settings.replicationSecret else { return nil }
      guard let token = request.accessToken, AccessToken.isEqual(token, secret) else {
        throw MatrixError.custom(
          status: 401, errcode: "M_UNAUTHORIZED", message: "Invalid replication secret", extras: [:])
      }
      return nil
    case .optional: return request.accessToken
    case .required, .guestAllowed:
      guard let token = request.accessToken else { throw AccessToken.missing() }
      return token
    }
  }

  @inline(never)
  private func deferred(_ begin: @escaping Endpoint.Deferral, _ request: Request) -> DeferredResponse {
    let deferred = DeferredResponse()
    deferred.begin { try await begin(request, deferred) }
    return deferred
  }

  private func wait(for deferred: DeferredResponse, _ incoming: IncomingRequest) async throws -> Response {
    let cause = CancellationCause()
    incoming.onDisconnect {
      cause.note(.disconnect)
      deferred.cancel()
    }
    defer { incoming.onDisconnect(nil) }
    do {
      return try await deferred.value()
    } catch {
      throw Self.error(for: error, cause)
    }
  }

  /// Runs a handler as a task of its own, so that deadline and hang-up can cancel it without ending the connection's task.
  private func run(
    _ handler: @escaping Endpoint.Handler, _ request: Request, _ incoming: IncomingRequest
  ) async throws -> Response {
    let endpoint = request.endpoint
    let cause = CancellationCause()
    let task = Task { try await handler(request) }
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
    } catch {
      throw Self.error(for: error, cause)
    }
  }

  /// Gives the error that a request is answered with: what a cancelled socket or pool throws varies, so the cause decides.
  private static func error(for error: any Error, _ cause: CancellationCause) -> any Error {
    if error is MatrixError { return error }
    switch cause.value {
    case .none: return error
    case .disconnect: return CancellationError()
    case .deadline:
      return MatrixError.custom(
        status: 504, errcode: "M_UNKNOWN", message: "The request took too long", extras: [:])
    }
  }
}
