import MatrixPrimitives
import StorageEngine
import Stores

extension LocalUsers {
  private struct Status: Sendable {
    var isAdmin = false
    var isSuspended = false
  }

  /// Answers from the tables of accounts, profiles and account data; make it once a process.
  ///
  /// Invites are refused as the user's account data says, where the server's configuration switches that on
  /// (`experimental_features: msc4155_enabled`).
  public init(storage: Storage) {
    let filtersInvites = storage.config.experimental.isEnabled("msc4155_enabled")
    let statuses: Cache<UserID, Status> = storage.caches.cache("*accountStatus*", capacity: 50_000)
    for function in ["get_user_by_id", "get_user_suspended_status"] {
      storage.caches.register(function) { keys in
        guard let user = keys?.first else { return statuses.invalidateAll() }
        statuses.invalidate(UserID(unchecked: user))
      }
    }
    @Sendable func status(_ user: UserID) async throws -> Status {
      try await statuses.value(user) {
        guard let account = try await storage.accounts.account(user) else { return Status() }
        return Status(isAdmin: account.isAdmin, isSuspended: account.isSuspended)
      }
    }
    self.init(
      profile: { user in
        let profile = try await storage.profiles.profile(of: user)
        return Profile(displayName: profile?.displayName, avatarURL: profile?.avatarURL)
      },
      isAdmin: { try await status($0).isAdmin },
      isSuspended: { try await status($0).isSuspended },
      blocksInvites: { invited, inviter in
        guard filtersInvites, invited.serverName == storage.config.serverName else { return false }
        let data = try await storage.accountData.data(of: invited)
        return data.global[InvitePermissions.type].map { InvitePermissions($0.content).blocks(inviter) } ?? false
      })
  }
}
