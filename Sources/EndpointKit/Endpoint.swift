import MatrixPrimitives

/// One operation of the HTTP API: where it answers, who may call it, which process serves it, and how.
///
/// The declaration is the single source for the router, for the roles of processes, for the generated proxy configurations and for
/// `Docs/endpoints.md`. Families declare theirs as rows of a table, see ``get(_:_:as:on:balance:limited:execution:allowsLockedUsers:to:)``.
public final class Endpoint: Sendable {
  /// A closure that answers a request, or throws: `MatrixError` reaches the client as it is, anything else as 500
  /// `M_UNKNOWN`.
  public typealias Handler = @Sendable (Request) async throws -> Response
  /// A closure that starts to answer a request that may wait for long, or throws like a ``Handler``. It runs in a task
  /// of its own, whose memory goes when it returns; the response comes later.
  public typealias Deferral = @Sendable (Request, DeferredResponse) async throws -> Void

  /// The operation's name in logs, metrics and documentation: the specification's `operationId` where it has one.
  public let name: Text
  /// The method; a `GET` endpoint also answers `HEAD`.
  public let method: HTTPMethod
  /// Every path under which the operation answers.
  public let paths: [PathPattern]
  /// The callers that are admitted.
  public let access: Access
  /// Which process of a cluster answers.
  public let place: Place
  /// What a reverse proxy should keep on one process.
  public let balance: Balance
  /// Whether the specification marks it as rate limited. The limit itself is applied by the services.
  public let isRateLimited: Bool
  /// How the request's body is read.
  public let body: BodyPolicy
  /// Where and for how long the handler runs.
  public let execution: Execution
  /// Whether a locked account, or an access token that has expired, may call it (logout only, in the specification).
  public let allowsLockedUsers: Bool
  /// The work.
  let work: Work
  /// Answers to requests that ask for next to nothing, before the handler is put to work.
  let shortcut: Shortcut?

  /// An answer that some requests get at once. It runs where the connection is served and must be brief.
  public struct Shortcut: Sendable {
    let covers: @Sendable (Request) throws -> Bool
    let answer: @Sendable (Request) async throws -> Response?

    /// Makes a shortcut.
    ///
    /// - Parameters:
    ///   - covers: whether it is worth a try, judged by the request alone.
    ///   - answer: answers it; nil when that cannot be done at once.
    public init(
      covers: @escaping @Sendable (Request) throws -> Bool,
      answer: @escaping @Sendable (Request) async throws -> Response?
    ) {
      self.covers = covers
      self.answer = answer
    }
  }

  /// The work behind an endpoint.
  enum Work: Sendable {
    /// A handler that answers.
    case handler(Handler)
    /// A beginning; whatever brings the news that the request waits for answers.
    case deferral(Deferral)
  }

  init(
    name: Text, method: HTTPMethod, paths: [PathPattern], access: Access, place: Place, balance: Balance,
    isRateLimited: Bool, body: BodyPolicy, execution: Execution, allowsLockedUsers: Bool, shortcut: Shortcut?,
    work: Work
  ) {
    self.name = name
    self.method = method
    self.paths = paths
    self.access = access
    self.place = place
    self.balance = balance
    self.isRateLimited = isRateLimited
    self.body = body
    self.execution = execution
    self.allowsLockedUsers = allowsLockedUsers
    self.shortcut = shortcut
    self.work = work
  }
}

extension Endpoint {
  /// Who may call an endpoint. A ``Caller`` type stands for each.
  public enum Access: Sendable, Hashable, CaseIterable {
    /// Anybody; a token is not looked at.
    case anyone
    /// Anybody; a token, when there is one, must be valid.
    case anyoneKnown
    /// Users with a valid token, guests refused with `M_GUEST_ACCESS_FORBIDDEN`.
    case user
    /// Users and guests with a valid token.
    case userOrGuest
    /// Users whose account is an administrator's.
    case administrator
    /// Application services, by their own token.
    case applicationService
    /// Other homeservers, by a signature over the request.
    case server
    /// Other processes of the cluster, by `worker_replication_secret` when one is configured.
    case process
  }

  /// Which process of a cluster answers an endpoint. The router forwards what reaches another one.
  public enum Place: Sendable, Hashable {
    /// Any process.
    case any
    /// Any process, though the writer of a stream answers with a hop less.
    case anyPreferring(writerOf: StreamName)
    /// A writer of a stream.
    case writer(of: StreamName)
    /// The main process.
    case main
    /// The processes with the media repository.
    case media
    /// Every process for itself: health, metrics, calls between processes.
    case everyProcess
  }

  /// Which requests a reverse proxy should keep on one process so that its caches serve them.
  public enum Balance: Sendable, Hashable {
    /// Any process, in turn.
    case none
    /// One process for all requests of a user.
    case user
    /// One process for all requests about a room (the capture `roomID`).
    case room
  }

  /// How the body of a request is read.
  public enum BodyPolicy: Sendable, Hashable {
    /// Whole, before the handler begins. More than `limit` bytes are answered 413 `M_TOO_LARGE`.
    case collected(limit: Int)
    /// By the handler itself, piece by piece (``Request/nextPiece()``). More than `limit` bytes end it with 413 `M_TOO_LARGE`.
    case streamed(limit: Int)

    /// The limit of endpoints that name none: 200 times the largest event (as Synapse).
    public static let usual = BodyPolicy.collected(limit: 200 * 65_536)

    /// The largest body, in bytes.
    public var limit: Int {
      switch self {
      case .collected(let limit), .streamed(let limit): limit
      }
    }
  }

  /// Where a handler runs, and for how long.
  public enum Execution: Sendable, Hashable {
    /// On the connection's event loop, whose other connections wait meanwhile: for answers from memory, or with a read or two. There
    /// is neither a deadline nor a reason to be cancelled.
    case onEventLoop
    /// In a task of its own, cancelled at the deadline (504 is answered) and, for `GET`, when the client hangs up. Half a write is useless, so
    /// other methods go on.
    case task(deadline: Duration)

    /// The execution of endpoints that name none.
    public static let usual = Execution.task(deadline: .seconds(180))
  }
}
