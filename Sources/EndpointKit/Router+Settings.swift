import Logging
import MatrixPrimitives

extension Router {
  /// The lookup of callers. All ways throw `MatrixError` for a caller who is not admitted.
  public struct Authenticator: Sendable {
    /// Finds the account of an access token wherever it takes.
    public var find: @Sendable (_ accessToken: Text, _ request: Request) async throws -> Requester
    /// Finds the account of an access token in memory, and is asked first; nil when `find` has to look further.
    public var findKnown: @Sendable (_ accessToken: Text, _ request: Request) throws -> Requester?
    /// Whether an account is an administrator's.
    public var isAdministrator: @Sendable (_ requester: Requester) async throws -> Bool
    /// Finds the homeserver that has signed a request, whose body has been read.
    public var findServer: @Sendable (_ request: Request) async throws -> Text

    /// Makes an authenticator.
    ///
    /// - Parameters:
    ///   - findKnown: finds the account of an access token in memory.
    ///   - find: finds the account of an access token wherever it takes.
    ///   - isAdministrator: whether an account is an administrator's; without it none is.
    ///   - findServer: finds the homeserver that has signed a request; without it none is admitted.
    public init(
      findKnown: @escaping @Sendable (_ accessToken: Text, _ request: Request) throws -> Requester? = { _, _ in nil },
      find: @escaping @Sendable (_ accessToken: Text, _ request: Request) async throws -> Requester,
      isAdministrator: @escaping @Sendable (_ requester: Requester) async throws -> Bool = { _ in false },
      findServer: @escaping @Sendable (_ request: Request) async throws -> Text = { _ in
        throw MatrixError(.unauthorized, "Other servers are not admitted here")
      }
    ) {
      self.findKnown = findKnown
      self.find = find
      self.isAdministrator = isAdministrator
      self.findServer = findServer
    }
  }

  /// The way of requests to the process that may answer them.
  public struct Forwarding: Sendable {
    /// Names the process that answers the endpoints of a place; nil when this one does. Requests with the same key go to the same of several.
    public var instance: @Sendable (_ place: Endpoint.Place, _ key: Text) -> Text?
    /// Asks another process for the answer to a request, whose body has been read.
    public var forward:
      @Sendable (_ request: IncomingRequest, _ body: [UInt8], _ instance: Text) async throws -> Response

    /// Makes a way.
    ///
    /// - Parameters:
    ///   - instance: names the process that answers the endpoints of a place.
    ///   - forward: asks another process.
    public init(
      instance: @escaping @Sendable (_ place: Endpoint.Place, _ key: Text) -> Text?,
      forward:
        @escaping @Sendable (_ request: IncomingRequest, _ body: [UInt8], _ instance: Text) async throws -> Response
    ) {
      self.instance = instance
      self.forward = forward
    }
  }

  /// What the router needs from the process around it.
  public struct Settings: Sendable {
    /// The lookup of callers.
    public var authenticator: Authenticator
    /// The way to other processes of the cluster; nil in a server of one process, which answers everything.
    public var forwarding: Forwarding?
    /// The secret that other processes of the cluster send; nil accepts them without.
    public var replicationSecret: Text?
    /// The deadlines' enforcement; its `run()` belongs to the process.
    public var deadlines: DeadlineWatch
    /// Recognizes errors that the request is to blame for, which are answered with what it returns instead of 500.
    public var refusal: @Sendable (any Error) -> MatrixError?
    /// The logger for causes of 500s.
    public var logger: Logger
    /// Called with each request's record after its response was made.
    public var onFinish: @Sendable (RequestRecord) -> Void

    /// Gathers the settings.
    ///
    /// - Parameters:
    ///   - authenticator: finds callers; without it every token is unknown.
    ///   - forwarding: the way to other processes of the cluster.
    ///   - replicationSecret: `worker_replication_secret`.
    ///   - deadlines: enforces deadlines.
    ///   - refusal: recognizes errors of lower layers that the request is to blame for.
    ///   - logger: receives causes of 500s.
    ///   - onFinish: for access log and metrics.
    public init(
      authenticator: Authenticator = Authenticator { _, _ in throw MatrixError.unknownToken() },
      forwarding: Forwarding? = nil, replicationSecret: Text? = nil, deadlines: DeadlineWatch = DeadlineWatch(),
      refusal: @escaping @Sendable (any Error) -> MatrixError? = { _ in nil },
      logger: Logger = Logger(label: "myelin.http"), onFinish: @escaping @Sendable (RequestRecord) -> Void = { _ in }
    ) {
      self.authenticator = authenticator
      self.forwarding = forwarding
      self.replicationSecret = replicationSecret
      self.deadlines = deadlines
      self.refusal = refusal
      self.logger = logger
      self.onFinish = onFinish
    }
  }
}
