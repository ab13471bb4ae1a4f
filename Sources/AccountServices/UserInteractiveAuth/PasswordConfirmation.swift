import MatrixPrimitives
import Stores

/// The stage at which a logged-in user enters the password again before something that cannot be undone.
public final class PasswordConfirmation: Sendable {
  private static let stage = "m.login.password"

  private let interactiveAuth: UserInteractiveAuth
  private let login: LoginService
  private let tokens: AccessTokenStore
  private let clock: ServerClock
  /// How long a shown password stands in for another, in milliseconds (`ui_auth.session_timeout`); 0 for not at all.
  private let validMilliseconds: Int64

  init(
    interactiveAuth: UserInteractiveAuth, login: LoginService, tokens: AccessTokenStore, validMilliseconds: Int64,
    clock: ServerClock
  ) {
    self.interactiveAuth = interactiveAuth
    self.login = login
    self.tokens = tokens
    self.validMilliseconds = validMilliseconds
    self.clock = clock
  }

  /// Returns once the user has shown the password, by this session of the user's or, where the configuration allows it, a short while ago.
  ///
  /// - Parameters:
  ///   - requester: the user whose password is asked for.
  ///   - operation: what the password authorises.
  ///   - body: the request's body, with the member `auth`.
  ///   - omitting: members of the body that must not be stored.
  ///   - mayBeEarlier: whether a password that was shown before counts.
  /// - Throws: as ``confirm(_:_:body:omitting:)``.
  public func confirm(
    _ requester: Requester, _ operation: UserInteractiveAuth.Operation, body: JSONValue, omitting: Set<Text> = [],
    mayBeEarlier: Bool
  ) async throws {
    if mayBeEarlier, validMilliseconds > 0, let token = requester.accessTokenID,
      let last = try await tokens.lastValidated(token), clock.nowMilliseconds - last < validMilliseconds
    {
      return
    }
    try await confirm(requester.userID, operation, body: body, omitting: omitting)
    if validMilliseconds > 0, let token = requester.accessTokenID {
      try await tokens.markValidated(token, nowMilliseconds: clock.nowMilliseconds)
    }
  }

  /// Returns once the user has shown the password. A session authorises one request.
  ///
  /// - Parameters:
  ///   - user: the user whose password is asked for.
  ///   - operation: what the password authorises.
  ///   - body: the request's body, with the member `auth`.
  ///   - omitting: members of the body that must not be stored.
  /// - Throws: `UserInteractiveAuth.Incomplete` until then; `MatrixError` 403 when another user has shown theirs.
  public func confirm(
    _ user: UserID, _ operation: UserInteractiveAuth.Operation, body: JSONValue, omitting: Set<Text> = []
  ) async throws {
    try await interactiveAuth.consume(try await complete(user, operation, body: body, omitting: omitting))
  }

  /// Returns the session in which the user has shown the password; the caller uses it up.
  func complete(
    _ user: UserID, _ operation: UserInteractiveAuth.Operation, body: JSONValue, omitting: Set<Text>
  ) async throws -> UserInteractiveAuth.Completed {
    let completed = try await interactiveAuth.check(
      flows: [[Self.stage]], operation: operation, body: body, omitting: omitting
    ) { [login] _, auth, _ in
      .string(try await login.checkPassword(auth, limited: true, isReauthentication: true).rawValue)
    }
    guard completed.stages[Self.stage]?.string == user.rawValue else {
      throw MatrixError.forbidden("The session belongs to another user")
    }
    return completed
  }
}
