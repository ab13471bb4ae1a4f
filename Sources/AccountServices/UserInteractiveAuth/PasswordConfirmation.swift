import MatrixPrimitives

/// The stage at which a logged-in user enters the password again before something that cannot be undone.
public final class PasswordConfirmation: Sendable {
  private static let stage = "m.login.password"

  private let interactiveAuth: UserInteractiveAuth
  private let login: LoginService

  init(interactiveAuth: UserInteractiveAuth, login: LoginService) {
    self.interactiveAuth = interactiveAuth
    self.login = login
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
    let completed = try await interactiveAuth.check(
      flows: [[Self.stage]], operation: operation, body: body, omitting: omitting
    ) { [login] _, auth, _ in
      .string(try await login.checkPassword(auth, limited: true, isReauthentication: true).rawValue)
    }
    guard completed.stages[Self.stage]?.string == user.rawValue else {
      throw MatrixError.forbidden("The session belongs to another user")
    }
    try await interactiveAuth.consume(completed)
  }
}
