import MatrixPrimitives

/// A kind of caller. An endpoint names the kind that it answers; the router admits no other, and its handler gets the caller as a value
/// of this type.
public protocol Caller: Sendable {
  /// The callers that are admitted.
  static var access: Endpoint.Access { get }

  /// Takes the caller from a request that the router has admitted.
  ///
  /// - Throws: `MatrixError` when the request was admitted for another kind of caller.
  init(_ request: Request) throws(MatrixError)
}

/// A caller with an account on this server.
public protocol AccountHolder: Caller {
  /// The user, the device and the token.
  var requester: Requester { get }
}

extension AccountHolder {
  /// The user as whom the request acts.
  public var userID: UserID { requester.userID }
  /// The device of the access token; nil for application services.
  public var deviceID: Text? { requester.deviceID }
}

/// Anybody at all.
public struct Anyone: Caller {
  /// Who is admitted.
  public static let access = Endpoint.Access.anyone

  /// Takes the caller from an admitted request.
  public init(_ request: Request) {}
}

/// Anybody, but known when the request carries a token.
public struct AnyoneKnown: Caller {
  /// Who is admitted.
  public static let access = Endpoint.Access.anyoneKnown

  /// The caller with an account; nil for any other.
  public let requester: Requester?

  /// Takes the caller from an admitted request.
  public init(_ request: Request) { requester = request.storage.requester }
}

/// A user who is not a guest.
public struct User: AccountHolder {
  /// Who is admitted.
  public static let access = Endpoint.Access.user

  /// The user, the device and the token.
  public let requester: Requester

  /// Takes the caller from an admitted request.
  ///
  /// - Throws: `MatrixError` when the request was admitted for another kind of caller.
  public init(_ request: Request) throws(MatrixError) { requester = try request.admittedRequester }
}

/// A user or a guest.
public struct UserOrGuest: AccountHolder {
  /// Who is admitted.
  public static let access = Endpoint.Access.userOrGuest

  /// The user, the device and the token.
  public let requester: Requester

  /// Takes the caller from an admitted request.
  ///
  /// - Throws: `MatrixError` when the request was admitted for another kind of caller.
  public init(_ request: Request) throws(MatrixError) { requester = try request.admittedRequester }
}

/// A user whose account is an administrator's.
public struct Administrator: AccountHolder {
  /// Who is admitted.
  public static let access = Endpoint.Access.administrator

  /// The user, the device and the token.
  public let requester: Requester

  /// Takes the caller from an admitted request.
  ///
  /// - Throws: `MatrixError` when the request was admitted for another kind of caller.
  public init(_ request: Request) throws(MatrixError) { requester = try request.admittedRequester }
}

/// An application service that acts for itself or for one of its users.
public struct ApplicationService: AccountHolder {
  /// Who is admitted.
  public static let access = Endpoint.Access.applicationService

  /// The user, the device and the token.
  public let requester: Requester
  /// The `id` of its registration.
  public let id: Text

  /// Takes the caller from an admitted request.
  ///
  /// - Throws: `MatrixError` when the request was admitted for another kind of caller.
  public init(_ request: Request) throws(MatrixError) {
    requester = try request.admittedRequester
    guard let id = requester.appserviceID else { throw .forbidden("Only application services can use this endpoint.") }
    self.id = id
  }
}

/// Another homeserver.
public struct RemoteServer: Caller {
  /// Who is admitted.
  public static let access = Endpoint.Access.server

  /// The server whose signature the request carries.
  public let name: Text

  /// Takes the caller from an admitted request.
  ///
  /// - Throws: `MatrixError` when the request was admitted for another kind of caller.
  public init(_ request: Request) throws(MatrixError) {
    guard let origin = request.storage.origin else { throw MatrixError(.unauthorized, "Missing Authorization headers") }
    name = origin
  }
}

/// Another process of the cluster.
public struct ClusterProcess: Caller {
  /// Who is admitted.
  public static let access = Endpoint.Access.process

  /// Takes the caller from an admitted request.
  public init(_ request: Request) {}
}
