import MatrixPrimitives
import PasswordHashing
import Stores

/// The change of passwords: for their owners, and for administrators.
public final class PasswordService: Sendable {
  /// The rules for new passwords.
  public let policy: PasswordPolicy
  private let hasher: PasswordHasher
  private let store: SessionStore
  private let devices: DeviceService

  init(policy: PasswordPolicy, hasher: PasswordHasher, store: SessionStore, devices: DeviceService) {
    self.policy = policy
    self.hasher = hasher
    self.store = store
    self.devices = devices
  }

  /// Checks a password that a user has chosen. An administrator's choice is not held to the policy (as on Synapse).
  ///
  /// - Throws: `MatrixError` 400 with the reason.
  public func check(_ password: Text) throws(MatrixError) { try policy.check(password) }

  /// Replaces a password.
  ///
  /// - Parameters:
  ///   - endsSessions: whether the user's sessions end, and their devices go.
  ///   - accessTokenID: the session that stays all the same; nil for none.
  public func change(
    of user: UserID, to password: Text, endsSessions: Bool, keeping accessTokenID: Int64?
  ) async throws {
    let hash = try await hasher.hash(password)
    let ended = try await store.changePassword(of: user, to: hash, endsOthers: endsSessions, keeping: accessTokenID)
    try await devices.ended(ended, of: user)
  }
}
