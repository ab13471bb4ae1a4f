import MatrixPrimitives
import PasswordHashing
import Stores

/// The change of a password as clients ask for it: by somebody who is logged in and knows the old one, or by somebody who owns an
/// e-mail address of the account.
public final class PasswordChangeFlow: Sendable {
  private static let passwordHashKey = "password_hash"

  private let confirmation: PasswordConfirmation
  private let interactiveAuth: UserInteractiveAuth
  private let stages: VerificationStages
  private let passwords: PasswordService
  private let hasher: PasswordHasher
  private let accounts: AccountStore

  init(
    confirmation: PasswordConfirmation, interactiveAuth: UserInteractiveAuth, stages: VerificationStages,
    passwords: PasswordService, hasher: PasswordHasher, accounts: AccountStore
  ) {
    self.confirmation = confirmation
    self.interactiveAuth = interactiveAuth
    self.stages = stages
    self.passwords = passwords
    self.hasher = hasher
    self.accounts = accounts
  }

  /// Changes a password once the stages are passed. The new one may come with any request of the session; its hash is kept.
  ///
  /// - Parameters:
  ///   - requester: nil for somebody who is not logged in.
  ///   - operation: what is authorised.
  /// - Throws: `UserInteractiveAuth.Incomplete` while stages are missing; `MatrixError` 404 when nobody has the address.
  public func change(
    _ requester: Requester?, _ operation: UserInteractiveAuth.Operation, body: JSONValue
  ) async throws {
    let password = try body.optionalString("new_password")
    _ = try body.optionalBool("logout_devices")
    if let password { try passwords.check(password) }
    let completed: UserInteractiveAuth.Completed
    do {
      completed = try await confirm(requester, operation, body)
    } catch let incomplete as UserInteractiveAuth.Incomplete {
      if let password {
        try interactiveAuth.countWork(for: body, of: operation.client)
        let hash = try await hasher.hash(password)
        try await interactiveAuth.remember(Self.passwordHashKey, .string(hash), session: incomplete.sessionID)
      }
      throw incomplete
    }
    let user = try await owner(requester, completed)
    let hash: Text
    if let password {
      hash = try await hasher.hash(password)
    } else if let kept = completed.serverData[Self.passwordHashKey]?.string {
      hash = kept
    } else {
      throw MatrixError.missingParam("Missing params: password")
    }
    try await interactiveAuth.consume(completed)
    let endsSessions = completed.parameters["logout_devices"]?.bool ?? true
    try await passwords.change(of: user, toHash: hash, endsSessions: endsSessions, keeping: requester?.accessTokenID)
  }

  private func confirm(
    _ requester: Requester?, _ operation: UserInteractiveAuth.Operation, _ body: JSONValue
  ) async throws -> UserInteractiveAuth.Completed {
    if let requester {
      return try await confirmation.complete(requester.userID, operation, body: body, omitting: ["new_password"])
    }
    return try await interactiveAuth.check(
      flows: [[VerificationStages.email]], operation: operation, body: body, omitting: ["new_password"]
    ) { [stages] stage, auth, session in
      try await stages.check(stage, auth, session: session, address: operation.client.ip)
    }
  }

  private func owner(_ requester: Requester?, _ completed: UserInteractiveAuth.Completed) async throws -> UserID {
    if let requester { return requester.userID }
    guard let proved = VerificationStages.proved(VerificationStages.email, in: completed.stages),
      let user = try await accounts.user(withThirdParty: proved.medium, proved.address),
      // A proof older than the address of the account was given for something else (a mail about a registration, whose
      // link asks nothing), or by whoever had the mailbox before.
      try await accounts.thirdPartyIdentifiers(of: user).contains(where: {
        $0.medium == proved.medium && $0.address == proved.address
          && $0.addedAtMilliseconds <= proved.validatedAtMilliseconds
      })
    else { throw MatrixError.notFound("Email address not found") }
    return user
  }
}
