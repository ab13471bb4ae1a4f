import MatrixPrimitives
import ServerConfig
import Stores

/// What administrators do to accounts, and what is told about them: locks, suspensions, from where they are used.
public final class AccountStateService: Sendable {
  /// A state that an administrator gives an account.
  public enum State: Sendable {
    /// No use of the account but logging out.
    case locked
    /// Reading, but no acting on others.
    case suspended
  }

  /// The greatest number of accounts asked about at once.
  public static let mostAccounts = 1_000

  private let config: HomeserverConfig
  private let accounts: AccountStore
  private let clientIPs: ClientIPStore
  private let activity: ClientActivity

  init(config: HomeserverConfig, stores: AccountStores, activity: ClientActivity) {
    self.config = config
    accounts = stores.accounts
    clientIPs = stores.clientIPs
    self.activity = activity
  }

  /// Finds an account that an administrator asks about.
  ///
  /// - Throws: `MatrixError` 400 `M_INVALID_PARAM` for a user of another server, 404 when there is no such account or it is deactivated, 403 for
  ///   another administrator's.
  private func account(_ user: UserID, for requester: Requester) async throws -> Account {
    guard user.serverName == config.serverName else {
      throw MatrixError.invalidParam("User does not belong to the local server.")
    }
    guard let account = try await accounts.account(user), !account.isDeactivated else {
      throw MatrixError.notFound("User not found.")
    }
    guard !account.isAdmin || user == requester.userID else {
      throw MatrixError.forbidden("The user is another administrator.")
    }
    return account
  }

  /// Returns whether an account is in a state.
  ///
  /// - Throws: `MatrixError` 400, 403 or 404 for users who are none of the administrator's business.
  public func has(_ state: State, _ user: UserID, asker: Requester) async throws -> Bool {
    let account = try await account(user, for: asker)
    return switch state {
    case .locked: account.isLocked
    case .suspended: account.isSuspended
    }
  }

  /// Brings an account into a state, or out of it. Its sessions stay, and work again afterwards.
  ///
  /// - Throws: as ``has(_:_:asker:)``; 403 for the administrator's own account.
  public func set(_ state: State, _ user: UserID, to value: Bool, by requester: Requester) async throws {
    _ = try await account(user, for: requester)
    guard user != requester.userID else { throw MatrixError.forbidden("Nobody can do that to themselves.") }
    switch state {
    case .locked: try await accounts.setLocked(user, value)
    case .suspended: try await accounts.setSuspended(user, value)
    }
  }

  /// Suspends any account of this server, or lets it act again (Synapse's administration API, which spares nobody).
  ///
  /// - Throws: `MatrixError` 400 for a user of another server, 404 when there is no such account.
  public func suspend(_ user: UserID, _ isSuspended: Bool) async throws {
    guard user.serverName == config.serverName else {
      throw MatrixError.unknown("Can only suspend local users", status: 400)
    }
    guard try await accounts.account(user) != nil else { throw MatrixError.notFound("User not found") }
    try await accounts.setSuspended(user, isSuspended)
  }

  /// Lists from where an account was used, each token and address once.
  ///
  /// - Throws: `MatrixError` 400 for a user of another server.
  public func connections(of user: UserID) async throws -> [ClientUse] {
    guard user.serverName == config.serverName else {
      throw MatrixError.unknown("Can only whois a local user", status: 400)
    }
    var uses: [Text: ClientUse] = [:]
    for use in try await clientIPs.uses(of: user) + activity.waitingUses(of: user) {
      uses["\(use.token) \(use.ip)"] = use
    }
    return uses.values.sorted { $0.lastSeenMilliseconds < $1.lastSeenMilliseconds }
  }

  /// Says of accounts of this server whether they exist and are deactivated, and of which users that cannot be said.
  ///
  /// - Throws: `MatrixError` 400 for texts that are no user IDs, or too many of them.
  public func statuses(of users: [Text]) async throws -> (known: [UserID: Bool?], unknown: [UserID]) {
    guard users.count <= Self.mostAccounts else { throw MatrixError.invalidParam("Too many user IDs") }
    let ids = try users.map { text throws(MatrixError) in
      guard let user = UserID(text) else { throw .invalidParam("Not a valid Matrix user ID: \(text)") }
      return user
    }
    let ours = ids.filter { $0.serverName == config.serverName }
    let found = try await accounts.deactivation(of: ours)
    return (
      Dictionary(ours.map { ($0, found[$0]) }, uniquingKeysWith: { first, _ in first }),
      ids.filter { $0.serverName != config.serverName }
    )
  }
}
