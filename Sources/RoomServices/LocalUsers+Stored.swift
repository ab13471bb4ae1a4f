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
  /// Invites are refused as the user's account data says; lists of MSC4155 count where the server's configuration switches them on
  /// (`experimental_features: msc4155_enabled`).
  public init(stores: AccountStores, accountData: AccountDataStore) {
    let config = stores.context.config
    let filtersInvites = config.experimental.isEnabled("msc4155_enabled")
    let statuses: Cache<UserID, Status> = stores.context.caches.cache("*accountStatus*", capacity: 50_000)
    for function in ["get_user_by_id", "get_user_suspended_status"] {
      stores.context.caches.register(function) { keys in
        guard let user = keys?.first else { return statuses.invalidateAll() }
        statuses.invalidate(UserID(unchecked: user))
      }
    }
    @Sendable func status(_ user: UserID) async throws -> Status {
      try await statuses.value(user) {
        guard let account = try await stores.accounts.account(user) else { return Status() }
        return Status(isAdmin: account.isAdmin, isSuspended: account.isSuspended)
      }
    }
    self.init(
      profile: { user in
        let profile = try await stores.profiles.profile(of: user)
        return Profile(displayName: profile?.displayName, avatarURL: profile?.avatarURL)
      },
      isAdmin: { try await status($0).isAdmin },
      isSuspended: { try await status($0).isSuspended },
      blocksInvites: { invited, inviter in
        guard invited.serverName == config.serverName else { return false }
        let data = try await accountData.data(of: invited)
        // What was deleted (MSC3391) is stored as an empty object, and says nothing.
        if let all = data.global[InvitePermissions.stableType], !all.isEmpty {
          return InvitePermissions.blocksAll(all.content)
        }
        guard filtersInvites else { return false }
        return data.global[InvitePermissions.type].map { InvitePermissions($0.content).blocks(inviter) } ?? false
      })
  }
}
