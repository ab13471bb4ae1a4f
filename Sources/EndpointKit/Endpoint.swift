import ByteText
import MatrixPrimitives

/// Declares one operation of the HTTP API: where it answers, who may call it, which process serves it, and how.
///
/// The declaration is the single source for the router, for the roles of processes, for the generated nginx configuration and for
/// `Docs/endpoints.md`.
public final class Endpoint: Sendable {
  /// Answers a request, or throws: `MatrixError` reaches the client as it is, anything else as 500 `M_UNKNOWN`.
  public typealias Handler = @Sendable (Request) async throws -> Response
  /// Begins to answer a request that may have to wait for long, or throws like a ``Handler``. It runs in a task of its own, whose memory goes
  /// when it returns; the response comes later.
  public typealias Deferral = @Sendable (Request, DeferredResponse) async throws -> Void

  /// Names the operation in logs, metrics and documentation, such as `RoomSendEvent`.
  public let name: Text
  /// The method; a `GET` endpoint also answers `HEAD`.
  public let method: HTTPMethod
  /// Every path under which the operation answers.
  public let paths: [PathPattern]
  /// Who may call.
  public let auth: Authentication
  /// Which process serves it in a cluster.
  public let role: ServingRole
  /// What a reverse proxy should keep on one process.
  public let balance: Balance
  /// Whether the specification marks it as rate limited. The limit itself is applied by the services.
  public let rateLimited: Bool
  /// The largest request body, in bytes; a larger one is answered 413 `M_TOO_LARGE`.
  public let bodyLimit: Int
  /// How long the handler may take before it is cancelled and 504 is answered; nil for handlers that are brief, and for long polls.
  public let deadline: Duration?
  /// Whether a locked account, or an access token that has expired, may call it (logout only, in the specification).
  public let allowsLockedUsers: Bool
  /// Whether the handler is cancelled when the client hangs up. By default only for `GET`, since half a write helps nobody.
  public let cancelsOnDisconnect: Bool
  /// Does the work.
  let work: Work
  /// Answers requests that ask for next to nothing before the handler is put to work.
  let shortcut: Shortcut?

  /// Answers some requests at once. It runs where the connection is served and must be brief.
  public struct Shortcut: Sendable {
    let covers: @Sendable (Request) throws -> Bool
    let answer: @Sendable (Request) async throws -> Response?

    /// Makes a shortcut.
    ///
    /// - Parameters:
    ///   - covers: tells by the request alone whether it is worth a try.
    ///   - answer: answers it; nil when that cannot be done at once.
    public init(
      covers: @escaping @Sendable (Request) throws -> Bool,
      answer: @escaping @Sendable (Request) async throws -> Response?
    ) {
      self.covers = covers
      self.answer = answer
    }
  }

  /// Says how the work is done.
  enum Work: Sendable {
    /// At once: there is neither a deadline nor a reason to be cancelled. It runs where the connection is served, and other connections
    /// wait meanwhile, so it answers from memory or with a read or two.
    case brief(Handler)
    /// In a task of its own.
    case usual(Handler)
    /// By whatever brings the news that the request waits for.
    case deferred(Deferral)
  }

  /// The body limit of endpoints that name none: 200 times the largest event (as Synapse).
  public static let defaultBodyLimit = 200 * 65_536
  /// The deadline of endpoints that name none.
  public static let defaultDeadline = Duration.seconds(180)

  /// Declares an endpoint.
  ///
  /// - Parameters:
  ///   - name: unique among the endpoints of a process together with `method`.
  ///   - method: never `.head` or `.options`, which the router answers itself.
  ///   - paths: at least one.
  ///   - auth: who may call.
  ///   - role: which process serves it.
  ///   - balance: the proxy's key.
  ///   - rateLimited: for documentation.
  ///   - bodyLimit: bytes.
  ///   - deadline: nil for handlers that only look into memory or read a row or two; see ``Handler``.
  ///   - allowsLockedUsers: see the property.
  ///   - cancelsOnDisconnect: nil means "for `GET` only".
  ///   - handler: answers.
  public convenience init(
    name: Text, method: HTTPMethod, paths: [PathPattern], auth: Authentication = .required,
    role: ServingRole = .anyWorker, balance: Balance = .none, rateLimited: Bool = false,
    bodyLimit: Int = Endpoint.defaultBodyLimit, deadline: Duration? = Endpoint.defaultDeadline,
    allowsLockedUsers: Bool = false, cancelsOnDisconnect: Bool? = nil, handler: @escaping Handler
  ) {
    let cancels = cancelsOnDisconnect ?? (method == .get)
    self.init(
      name: name, method: method, paths: paths, auth: auth, role: role, balance: balance, rateLimited: rateLimited,
      bodyLimit: bodyLimit, deadline: deadline, allowsLockedUsers: allowsLockedUsers, cancelsOnDisconnect: cancels,
      shortcut: nil, work: deadline == nil && !cancels ? .brief(handler) : .usual(handler))
  }

  /// Declares an endpoint for long polls: without a deadline, and given up when the client hangs up.
  ///
  /// - Parameters:
  ///   - name: unique among the endpoints of a process together with `method`.
  ///   - method: never `.head` or `.options`, which the router answers itself.
  ///   - paths: at least one.
  ///   - auth: who may call.
  ///   - role: which process serves it.
  ///   - balance: the proxy's key.
  ///   - shortcut: answers requests that ask for next to nothing.
  ///   - deferral: begins to answer.
  public convenience init(
    name: Text, method: HTTPMethod, paths: [PathPattern], auth: Authentication = .required,
    role: ServingRole = .anyWorker, balance: Balance = .none, shortcut: Shortcut? = nil, deferral: @escaping Deferral
  ) {
    self.init(
      name: name, method: method, paths: paths, auth: auth, role: role, balance: balance, rateLimited: false,
      bodyLimit: Endpoint.defaultBodyLimit, deadline: nil, allowsLockedUsers: false, cancelsOnDisconnect: true,
      shortcut: shortcut, work: .deferred(deferral))
  }

  private init(
    name: Text, method: HTTPMethod, paths: [PathPattern], auth: Authentication, role: ServingRole, balance: Balance,
    rateLimited: Bool, bodyLimit: Int, deadline: Duration?, allowsLockedUsers: Bool, cancelsOnDisconnect: Bool,
    shortcut: Shortcut?, work: Work
  ) {
    self.name = name
    self.method = method
    self.paths = paths
    self.auth = auth
    self.role = role
    self.balance = balance
    self.rateLimited = rateLimited
    self.bodyLimit = bodyLimit
    self.deadline = deadline
    self.allowsLockedUsers = allowsLockedUsers
    self.cancelsOnDisconnect = cancelsOnDisconnect
    self.shortcut = shortcut
    self.work = work
  }
}

extension Endpoint {
  /// Says who may call an endpoint.
  public enum Authentication: Sendable, Hashable {
    /// Anybody; a token is not looked at.
    case none
    /// Anybody; a token, when there is one, must be valid.
    case optional
    /// Users with a valid token, guests refused with `M_GUEST_ACCESS_FORBIDDEN`.
    case required
    /// Users and guests with a valid token.
    case guestAllowed
    /// Other processes of the cluster, by `worker_replication_secret` when one is configured.
    case replication
  }

  /// Says which process of a cluster serves an endpoint.
  public enum ServingRole: Sendable, Hashable {
    /// Only the main process.
    case main
    /// Any process.
    case anyWorker
    /// Any process; the path's other methods belong to a stream's writer.
    case anyWorkerGETOnly
    /// The writer of a stream (any of them when there are several).
    case streamWriter(StreamName)
    /// The processes with the media repository.
    case media
    /// Every process has its own and answers for itself: health, metrics, replication.
    case everyProcess
  }

  /// Says which requests a reverse proxy should keep on one process so that its caches serve them.
  public enum Balance: Sendable, Hashable {
    /// Any process, in turn.
    case none
    /// One process for all requests of a user.
    case user
    /// One process for all requests about a room (the capture `roomID`).
    case room
  }
}

/// Groups the endpoints that one file declares, under the listener resource that switches them on.
public struct EndpointFamily: Sendable {
  /// Names the family in logs and documentation.
  public let name: Text
  /// The name in `listeners[].resources[].names` that mounts the family.
  public let resource: Text
  /// The operations.
  public let endpoints: [Endpoint]

  /// Groups endpoints.
  ///
  /// - Parameters:
  ///   - name: for humans.
  ///   - resource: a resource name of Synapse's listener configuration: `client`, `federation`, `replication`, `media`, `health`, ….
  ///   - endpoints: what the family serves.
  public init(name: Text, resource: Text = "client", endpoints: [Endpoint]) {
    self.name = name
    self.resource = resource
    self.endpoints = endpoints
  }
}
