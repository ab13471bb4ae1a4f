import MatrixPrimitives
import Replication
import Stores

/// Closes accounts for good.
public final class DeactivationService: Sendable {
  private let storage: Storage
  private let sessions: SessionService
  private let leaveAllRooms: @Sendable (_ user: UserID, _ requester: Requester) async -> Void

  init(
    storage: Storage, sessions: SessionService,
    leaveAllRooms: @escaping @Sendable (_ user: UserID, _ requester: Requester) async -> Void
  ) {
    self.storage = storage
    self.sessions = sessions
    self.leaveAllRooms = leaveAllRooms
  }

  /// Deactivates an account: no password, no sessions, no profile, no rooms. The ID can never be registered again.
  public func deactivate(_ user: UserID, by requester: Requester) async throws {
    try await sessions.closeAll(of: user)
    try await storage.accounts.deactivate(user)
    await leaveAllRooms(user, requester)
    try await storage.profiles.deleteProfile(of: user)
  }
}
