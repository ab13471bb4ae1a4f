import HTTPTypes
import Logging
import MatrixPrimitives
import Synchronization

/// Routes requests to endpoints and turns every outcome into a Matrix response.
///
/// One router serves one listener. It answers `OPTIONS` and unknown paths itself, reads and bounds the body, authenticates, runs the handler
/// under the endpoint's deadline, and maps errors: `MatrixError` as it is, cancellation silently, anything else 500.
public final class Router: Sendable {
  /// Finds the callers of access tokens. Both ways throw `MatrixError` for a token that is not valid.
  public struct Authenticator: Sendable {
    /// Finds a caller wherever it takes.
    public var find: @Sendable (_ accessToken: Text, _ request: Request) async throws -> Requester
    /// Finds a caller in memory, and is asked first; nil when `find` has to look further.
    public var findKnown: @Sendable (_ accessToken: Text, _ request: Request) throws -> Requester?

    /// Makes an authenticator.
    ///
    /// - Parameters:
    ///   - findKnown: finds a caller in memory.
    ///   - find: finds a caller wherever it takes.
    public init(
      findKnown: @escaping @Sendable (_ accessToken: Text, _ request: Request) throws -> Requester? = { _, _ in nil },
      find: @escaping @Sendable (_ accessToken: Text, _ request: Request) async throws -> Requester
    ) {
      self.findKnown = findKnown
      self.find = find
    }
  }

  /// Supplies what the router needs from the process around it.
  public struct Settings: Sendable {
    /// Finds callers.
    public var authenticator: Authenticator
    /// The secret that other processes of the cluster send; nil accepts them without.
    public var replicationSecret: Text?
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
    ///   - authenticator: finds callers; without it every token is unknown.
    ///   - replicationSecret: `worker_replication_secret`.
    ///   - deadlines: enforces deadlines.
    ///   - refusal: recognizes errors of lower layers that the request is to blame for.
    ///   - logger: receives causes of 500s.
    ///   - onFinish: for access log and metrics.
    public init(
      authenticator: Authenticator = Authenticator { _, _ in throw MatrixError.unknownToken() },
      replicationSecret: Text? = nil, deadlines: DeadlineWatch = DeadlineWatch(),
      refusal: @escaping @Sendable (any Error) -> MatrixError? = { _ in nil },
      logger: Logger = Logger(label: "myelin.http"), onFinish: @escaping @Sendable (RequestRecord) -> Void = { _ in }
    ) {
      self.authenticator = authenticator
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
  public var conflicts: [Text] { table.conflicts }

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
    let exchange = Exchange(
      incoming, route, id: incoming.id.map { "\(incoming.method)-\($0)" } ?? counter.next(incoming.method))
    return finish(exchange, await answer(exchange))
  }

  /// Holds what is known of a request until it is answered; one object, since requests that wait keep it.
  private final class Exchange {
    let started = ContinuousClock.now
    let incoming: IncomingRequest
    let route: Route
    let id: Text
    var user: Text?
    /// The decoded request, until nobody needs it any more.
    var request: Request?

    init(_ incoming: IncomingRequest, _ route: Route, id: Text) {
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
        clientIP: incoming.clientIP, userAgent: incoming.headers[.userAgent].map { Text($0) } ?? "-",
        duration: ContinuousClock.now - exchange.started))
    return response
  }

  private func answer(_ exchange: Exchange) async -> Response? {
    do {
      try decode(exchange)
      if try !completeAtOnce(exchange) { try await complete(exchange) }
      guard let deferred = try deferred(exchange) else { return try await serve(exchange) }
      defer { exchange.incoming.onDisconnect(nil) }
      return try await deferred.value()
    } catch {
      return respond(toError: error, id: exchange.id, route: exchange.route)
    }
  }

  /// Admits a caller who is known here, and tells whether nothing is missing any more, neither body nor caller.
  @inline(never)
  private func completeAtOnce(_ exchange: Exchange) throws -> Bool {
    guard let request = exchange.request else { return true }
    // A body that is too large is refused before anything else.
    return try !exchange.incoming.hasBody && admitKnown(request) == nil
  }

  private func complete(_ exchange: Exchange) async throws {
    guard let request = exchange.request else { return }
    if exchange.incoming.hasBody {
      request.storage.body = try await exchange.incoming.body(request.endpoint.bodyLimit)
    }
    // In a task of its own, whose memory goes.
    if let token = try admitKnown(request) { try await search(token, request).value }
  }

  /// Begins to answer a request that may have to wait for long, whose decoded form goes with that. Nil for any other.
  @inline(never)
  private func deferred(_ exchange: Exchange) throws -> DeferredResponse? {
    exchange.user = exchange.request?.storage.requester?.userID.rawValue
    guard let request = exchange.request, case .deferred(let deferral) = request.endpoint.work,
      try request.endpoint.shortcut?.covers(request) != true
    else { return nil }
    exchange.request = nil
    return begin(deferral, request, exchange.incoming)
  }

  private func serve(_ exchange: Exchange) async throws -> Response {
    // Without one it is only asked what is allowed.
    guard let request = exchange.request else { return Response(status: 204) }
    if let shortcut = request.endpoint.shortcut, let response = try await shortcut.answer(request) { return response }
    switch request.endpoint.work {
    case .brief(let handler): return try await handler(request)
    case .usual(let handler): return try await run(handler, request, exchange.incoming)
    case .deferred(let deferral):
      defer { exchange.incoming.onDisconnect(nil) }
      return try await begin(deferral, request, exchange.incoming).value()
    }
  }

  /// Decodes the head of a request, unless it only asks what is allowed.
  @inline(never)
  private func decode(_ exchange: Exchange) throws {
    let (incoming, route) = (exchange.incoming, exchange.route)
    switch route.outcome {
    case .preflight: break
    case .notFound: throw MatrixError.unrecognized()
    case .wrongMethod: throw MatrixError.methodNotAllowed()
    case .endpoint(let endpoint, let names, let values):
      let captures = try Self.decode(names, values)
      guard let query = QueryParameters(route.query) else {
        throw MatrixError.invalidParam("Query parameters must be utf-8")
      }
      exchange.request = Request(
        Request.Storage(
          endpoint: endpoint, path: Text(route.path), captures: captures, query: query, incoming: incoming,
          accessToken: endpoint.auth == .none ? nil : try AccessToken.find(incoming.headers, query), id: exchange.id))
    }
  }

  private static func decode(_ names: [Text], _ values: [Substring]) throws(MatrixError) -> [Request.Capture] {
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

  /// Admits a caller who is found in memory.
  ///
  /// - Returns: the token of a caller who has still to be found.
  @inline(never)
  private func admitKnown(_ request: Request) throws -> Text? {
    guard request.storage.requester == nil, let token = try token(request) else { return nil }
    guard let requester = try settings.authenticator.findKnown(token, request) else { return token }
    try admit(requester, to: request)
    return nil
  }

  @inline(never)
  private func search(_ token: Text, _ request: Request) -> Task<Void, any Error> {
    Task { try admit(try await settings.authenticator.find(token, request), to: request) }
  }

  @inline(never)
  private func admit(_ requester: Requester, to request: Request) throws(MatrixError) {
    if requester.isGuest, request.endpoint.auth == .required { throw MatrixError.guestAccessForbidden() }
    request.storage.requester = requester
  }

  /// Gives the token of the user that is to be found; nil when none is needed.
  @inline(never)
  private func token(_ request: Request) throws(MatrixError) -> Text? {
    switch request.endpoint.auth {
    case .none: return nil
    case .replication:
      guard let secret = settings.replicationSecret else { return nil }
      guard let token = request.accessToken, AccessToken.isEqual(token, secret) else {
        throw MatrixError(.unauthorized, "Invalid replication secret")
      }
      return nil
    case .optional: return request.accessToken
    case .required, .guestAllowed:
      guard let token = request.accessToken else { throw AccessToken.missing() }
      return token
    }
  }

  private func begin(
    _ deferral: @escaping Endpoint.Deferral, _ request: Request, _ incoming: IncomingRequest
  ) -> DeferredResponse {
    let deferred = DeferredResponse()
    deferred.begin { try await deferral(request, deferred) }
    incoming.onDisconnect { deferred.cancel() }
    return deferred
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
      return MatrixError.unknown("The request took too long", status: 504)
    }
  }
}
