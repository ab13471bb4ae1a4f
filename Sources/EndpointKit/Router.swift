import HTTPTypes
import Logging
import MatrixPrimitives
import Synchronization

/// The routing of requests to endpoints, which turns every outcome into a Matrix response.
///
/// One router serves one listener. It answers `OPTIONS` and unknown paths itself, passes on what another process of the cluster has to answer,
/// reads and bounds the body, admits the caller, runs the handler under the endpoint's deadline, and maps errors: `MatrixError` as it
/// is, cancellation silently, anything else 500.
public final class Router: Sendable {
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

  /// Pairs of endpoints declared for the same method and path, of which only the first is reachable. Empty in a sound
  /// program.
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

  /// What is known of a request until it is answered; one object, since requests that wait keep it.
  private final class Exchange {
    let started = ContinuousClock.now
    let incoming: IncomingRequest
    let route: Route
    let id: Text
    var user: Text?
    /// The decoded request, until it is no longer needed.
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
      if exchange.route.endpoint?.access != .process { ResponseHeaders.addCORS(&answered.headers) }
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
      if let instance = try instanceElsewhere(exchange) {
        let task = forward(exchange, instance)
        // As for handlers here: half a write is useless, so only reading ends with the client.
        if exchange.request?.method == .get { exchange.incoming.onDisconnect { task.cancel() } }
        defer { exchange.incoming.onDisconnect(nil) }
        return try await task.value
      }
      if try !completeAtOnce(exchange) { try await complete(exchange) }
      guard let deferred = try deferred(exchange) else { return try await serve(exchange) }
      defer { exchange.incoming.onDisconnect(nil) }
      return try await deferred.value()
    } catch {
      return respond(toError: error, id: exchange.id, route: exchange.route)
    }
  }

  /// Returns the process that has to answer instead of this one.
  ///
  /// - Throws: 500 when the request comes from another process already: the two disagree about the configuration.
  @inline(never)
  private func instanceElsewhere(_ exchange: Exchange) throws(MatrixError) -> Text? {
    guard let forwarding = settings.forwarding, let request = exchange.request,
      let instance = forwarding.instance(request.endpoint.place, request.accessToken ?? request.clientIP)
    else { return nil }
    if exchange.incoming.isForwarded {
      throw .unknown("This process does not answer \(request.endpoint.name); \(instance) does", status: 500)
    }
    return instance
  }

  @inline(never)
  private func forward(_ exchange: Exchange, _ instance: Text) -> Task<Response, any Error> {
    let (incoming, limit) = (exchange.incoming, exchange.route.endpoint?.body.limit ?? 0)
    return Task {
      guard let forwarding = settings.forwarding else { throw CancellationError() }
      let body = incoming.body.isExpected ? try await incoming.body.collect(limit: limit) : []
      return try await forwarding.forward(incoming, body, instance)
    }
  }

  /// Admits a caller who is known here.
  ///
  /// - Returns: whether nothing is missing any more, neither body nor caller.
  @inline(never)
  private func completeAtOnce(_ exchange: Exchange) throws -> Bool {
    guard let request = exchange.request else { return true }
    // A body that is too large is refused before anything else.
    if exchange.incoming.body.isExpected, case .collected = request.endpoint.body { return false }
    if request.endpoint.access == .server || request.endpoint.access == .administrator { return false }
    return try admitKnown(request) == nil
  }

  private func complete(_ exchange: Exchange) async throws {
    guard let request = exchange.request else { return }
    if exchange.incoming.body.isExpected, case .collected(let limit) = request.endpoint.body {
      request.storage.body = try await exchange.incoming.body.collect(limit: limit)
    }
    // In a task of its own, whose memory goes.
    switch request.endpoint.access {
    case .server: try await identify(request).value
    case .administrator: try await searchAdministrator(request).value
    default: if let token = try admitKnown(request) { try await search(token, request).value }
    }
  }

  /// Begins to answer a request that may have to wait for long, whose decoded form goes with that. Nil for any other.
  @inline(never)
  private func deferred(_ exchange: Exchange) throws -> DeferredResponse? {
    exchange.user = exchange.request?.storage.requester?.userID.rawValue
    guard let request = exchange.request, case .deferral(let deferral) = request.endpoint.work,
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
    case .handler(let handler):
      guard case .task(let deadline) = request.endpoint.execution else { return try await handler(request) }
      return try await run(handler, request, exchange.incoming, deadline)
    case .deferral(let deferral):
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
          accessToken: try accessToken(endpoint.access, incoming, query), id: exchange.id))
    }
  }

  private func accessToken(
    _ access: Endpoint.Access, _ incoming: IncomingRequest, _ query: QueryParameters
  ) throws(MatrixError) -> Text? {
    switch access {
    case .anyone, .server: nil
    // The query may be that of a request which another process passes on, with its user's token.
    case .process: try AccessToken.find(incoming.headers, .none)
    default: try AccessToken.find(incoming.headers, query)
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
  private func searchAdministrator(_ request: Request) -> Task<Void, any Error> {
    Task {
      if let token = try admitKnown(request) {
        try admit(try await settings.authenticator.find(token, request), to: request)
      }
      guard try await settings.authenticator.isAdministrator(try request.admittedRequester) else {
        throw MatrixError.forbidden("You are not a server admin")
      }
    }
  }

  @inline(never)
  private func identify(_ request: Request) -> Task<Void, any Error> {
    Task { request.storage.origin = try await settings.authenticator.findServer(request) }
  }

  @inline(never)
  private func admit(_ requester: Requester, to request: Request) throws(MatrixError) {
    if requester.isGuest, request.endpoint.access != .userOrGuest, request.endpoint.access != .anyoneKnown {
      throw MatrixError.guestAccessForbidden()
    }
    request.storage.requester = requester
  }

  /// Returns the token of the user that is to be found; nil when none is needed.
  @inline(never)
  private func token(_ request: Request) throws(MatrixError) -> Text? {
    switch request.endpoint.access {
    case .anyone, .server: return nil
    case .process:
      guard let secret = settings.replicationSecret else { return nil }
      guard let token = request.accessToken, AccessToken.isEqual(token, secret) else {
        throw MatrixError(.unauthorized, "Invalid replication secret")
      }
      return nil
    case .anyoneKnown: return request.accessToken
    case .user, .userOrGuest, .administrator, .applicationService:
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
    _ handler: @escaping Endpoint.Handler, _ request: Request, _ incoming: IncomingRequest, _ deadline: Duration
  ) async throws -> Response {
    let cancelsOnDisconnect = request.endpoint.method == .get
    let cause = CancellationCause()
    let task = Task { try await handler(request) }
    let number = settings.deadlines.schedule(in: deadline) {
      cause.note(.deadline)
      task.cancel()
    }
    if cancelsOnDisconnect {
      incoming.onDisconnect {
        cause.note(.disconnect)
        task.cancel()
      }
    }
    defer {
      settings.deadlines.cancel(number)
      if cancelsOnDisconnect { incoming.onDisconnect(nil) }
    }
    do {
      return try await withTaskCancellationHandler {
        try await task.value
      } onCancel: {
        if cancelsOnDisconnect { task.cancel() }
      }
    } catch {
      throw Self.error(for: error, cause)
    }
  }

  /// Returns the error that a request is answered with: what a cancelled socket or pool throws varies, so the cause
  /// decides.
  private static func error(for error: any Error, _ cause: CancellationCause) -> any Error {
    if error is MatrixError || error is any AnswerableError { return error }
    switch cause.value {
    case .none: return error
    case .disconnect: return CancellationError()
    case .deadline:
      return MatrixError.unknown("The request took too long", status: 504)
    }
  }
}
