import MatrixPrimitives
import RateLimits
import ServerConfig
import Stores

/// The stages of user-interactive authentication.
///
/// Sessions live in the database, so that each stage may be answered by another process. Source: the specification's
/// "User-Interactive Authentication API"; a first request may already carry `auth` with a type and no session.
public final class UserInteractiveAuth: Sendable {
  /// The check of what a client presents for one stage; it returns what is remembered of it, nil when that has been
  /// noted already.
  public typealias StageCheck =
    @Sendable (_ stage: Text, _ auth: JSONValue, _ session: Text) async throws -> JSON?

  /// The request that is being authorised; it must stay the same through all stages.
  public struct Operation: Sendable {
    /// The path with its query.
    public let uri: Text
    /// The HTTP method.
    public let method: Text
    /// What the user is shown.
    public let description: Text
    /// The client that asks, for administrators who look into a registration.
    public let client: Authenticator.Client

    /// Creates the description of an operation.
    public init(uri: Text, method: Text, description: Text, client: Authenticator.Client) {
      self.uri = uri
      self.method = method
      self.description = description
      self.client = client
    }
  }

  /// The result of a completed session.
  public struct Completed: Sendable {
    /// The session's id in the client's next request.
    public let sessionID: Text
    /// The stages passed, with what was remembered of each.
    public let stages: [Text: JSON]
    /// The request's parameters, which may have come with an earlier request of the session.
    public let parameters: JSON
    /// What the server kept with the session.
    public let serverData: JSON
  }

  /// The answer while stages are missing: the flows, what is done, and the session to go on with.
  public struct Incomplete: Error {
    /// The session's id in the client's next request.
    public let sessionID: Text
    /// The whole body of the 401 answer.
    public let body: JSON
  }

  /// What is kept of a session that a client names.
  public struct Kept: Sendable {
    /// The parameters of the request that began or last went on with the session.
    public let parameters: JSON
    /// What the server keeps with the session.
    public let serverData: JSON
  }

  private let store: UserInteractiveAuthStore
  private let clock: ServerClock
  /// The limiter of an address's sessions, which are kept for a while: ten for each registration that it may make.
  private let sessionLimiter: RateLimiter
  static let sessionLifetimeMilliseconds: Int64 = 15 * 60 * 1000
  /// The largest size of the parameters that are kept with a session, in bytes of JSON.
  static let maximumParameterBytes = 16_384

  /// The values that clients need for stages, by stage.
  private let parameters: [Text: JSON]

  init(
    store: UserInteractiveAuthStore, registrationLimit: RateLimit, parameters: [Text: JSON], clock: ServerClock
  ) {
    self.store = store
    self.parameters = parameters
    self.clock = clock
    sessionLimiter = RateLimiter(registrationLimit, times: 10, clock: clock)
  }

  /// Checks a request.
  ///
  /// - Parameters:
  ///   - flows: the alternatives, each a list of stages that all must be passed.
  ///   - body: the request's body; `auth` is taken out of it before it is stored.
  ///   - omitting: further keys that must not be stored, such as a password.
  /// - Throws: `Incomplete` while no flow is complete; `MatrixError` for an unknown session or a changed operation, 413 for
  ///   parameters that are too large to be kept, 429 for an address that begins too many sessions.
  public func check(
    flows: [[Text]], operation: Operation, body: JSONValue, omitting: Set<Text> = [], stage check: StageCheck
  ) async throws -> Completed {
    let auth = try body.optionalObject("auth")
    let named = try auth?.optionalString("session")
    let session = try await open(named, operation: operation, parameters: Self.parameters(of: body, omitting: omitting))
    try await store.note(
      session.id, address: operation.client.ip, userAgent: operation.client.userAgent.utf8Prefix(500))
    guard let auth else { throw Incomplete(sessionID: session.id, body: answer(flows, session.id, [], nil)) }
    var failure: MatrixError?
    if let stage = try auth.optionalString("type") {
      guard flows.contains(where: { $0.contains(stage) }) else {
        throw MatrixError.invalidParam("The stage \(stage) is not part of any flow here")
      }
      do {
        if let result = try await check(stage, auth, session.id) {
          try await store.complete(stage: stage, result: result, session: session.id)
        }
      } catch let error as MatrixError where error.status == 401 || error.status == 403 {
        failure = error
      }
    }
    let stages = try await store.completedStages(session: session.id)
    guard flows.contains(where: { $0.allSatisfy { stages[$0] != nil } }) else {
      throw Incomplete(sessionID: session.id, body: answer(flows, session.id, stages.keys.sorted(), failure))
    }
    return Completed(
      sessionID: session.id, stages: stages, parameters: session.clientParameters, serverData: session.serverData)
  }

  /// Counts work that a session lets a client have done repeatedly, such as the hash of a password, like a session.
  ///
  /// - Throws: `MatrixError` 429.
  func countWork(for body: JSONValue, of client: Authenticator.Client) throws(MatrixError) {
    // A request that names no session has been counted when it began one.
    guard try body.optionalObject("auth")?.optionalString("session") != nil else { return }
    try sessionLimiter.check(client.ip)
  }

  /// Keeps a value with a session, for its later stages.
  public func remember(_ key: Text, _ value: JSON, session: Text) async throws {
    try await store.setServerData(key, value, session: session)
  }

  /// Reads what is kept of the session that a body names, if it names one that exists.
  public func kept(for body: JSONValue) async throws -> Kept? {
    guard let id = try body.optionalObject("auth")?.optionalString("session"), id.utf8.count <= 255 else { return nil }
    return try await store.session(id).map { Kept(parameters: $0.clientParameters, serverData: $0.serverData) }
  }

  /// Uses a completed session up, so that it authorises one request.
  ///
  /// - Throws: `MatrixError` 400 when another request has used it.
  public func consume(_ completed: Completed) async throws {
    guard try await store.consume(completed.sessionID) else { throw Self.unknownSession }
  }

  /// Deletes sessions that are older than a quarter of an hour. Called by the process with the background duty.
  public func deleteExpiredSessions() async throws {
    try await store.deleteSessions(openedBefore: clock.nowMilliseconds - Self.sessionLifetimeMilliseconds)
  }

  private func open(
    _ id: Text?, operation: Operation, parameters: JSON
  ) async throws -> UserInteractiveAuthSession {
    guard parameters.encoded.count <= Self.maximumParameterBytes else {
      throw MatrixError.tooLarge("The parameters are too large to be kept")
    }
    guard let id else {
      try sessionLimiter.check(operation.client.ip)
      let id = try await store.create(
        clientParameters: parameters, uri: operation.uri, method: operation.method,
        description: operation.description, nowMilliseconds: clock.nowMilliseconds)
      return UserInteractiveAuthSession(
        id: id, clientParameters: parameters, uri: operation.uri, method: operation.method, serverData: .object([:]))
    }
    guard id.utf8.count <= 255, let session = try await store.session(id) else {
      throw Self.unknownSession
    }
    guard session.uri == operation.uri, session.method == operation.method else {
      throw MatrixError.unknown(
        "Requested operation has changed during the UI authentication session.", status: 403)
    }
    guard parameters.members?.isEmpty == false else { return session }
    try await store.setClientParameters(parameters, session: id)
    return UserInteractiveAuthSession(
      id: id, clientParameters: parameters, uri: session.uri, method: session.method, serverData: session.serverData)
  }

  private static let unknownSession = MatrixError.unknown("Unknown session ID", status: 400)

  private static func parameters(of body: JSONValue, omitting: Set<Text>) -> JSON {
    var members = body.json.members ?? [:]
    members["auth"] = nil
    for key in omitting { members[key] = nil }
    return .object(members)
  }

  private func answer(_ flows: [[Text]], _ session: Text, _ completed: [Text], _ failure: MatrixError?) -> JSON {
    let wanted = Set(flows.joined())
    var body: [Text: JSON] = [
      "session": .string(session),
      "flows": .array(flows.map { .object(["stages": .array($0.map(JSON.string))]) }),
      "params": .object(parameters.filter { wanted.contains($0.key) }),
    ]
    if !completed.isEmpty || failure != nil { body["completed"] = .array(completed.map(JSON.string)) }
    if let failure {
      body["errcode"] = .string(failure.errcode)
      body["error"] = .string(failure.message)
    }
    return .object(body)
  }
}
