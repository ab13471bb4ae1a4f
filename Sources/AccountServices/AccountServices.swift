import Logging
import MatrixPrimitives
import PasswordHashing
import Replication
import ServerConfig
import Stores

/// Everything about accounts: registration, login, sessions, devices, profiles and the authentication of requests.
///
/// One per process, made by the process's role.
public final class AccountServices: Sendable {
  /// Tells the time.
  public let clock: ServerClock
  private let logger: Logger
  private let accounts: AccountStore
  /// Records from where tokens are used.
  public let activity: ClientActivity
  /// Turns access tokens into requesters.
  public let authenticator: Authenticator
  /// Adds, renames and removes devices.
  public let devices: DeviceService
  /// Hashes and checks passwords off the event loops.
  let hasher: PasswordHasher
  /// Checks passwords and opens sessions.
  public let login: LoginService
  /// Changes passwords.
  public let passwords: PasswordService
  /// Asks logged-in users for their password again.
  public let confirmation: PasswordConfirmation
  /// Reads and changes profiles.
  public let profiles: ProfileService
  /// Makes accounts.
  let registration: RegistrationService
  /// Registers accounts as clients ask for it.
  public let registrationFlow: RegistrationFlow
  /// Closes accounts.
  public let deactivation: DeactivationService
  /// Opens, refreshes and closes sessions.
  public let sessions: SessionService
  /// Walks clients through the stages of interactive authentication.
  let userInteractiveAuth: UserInteractiveAuth

  /// What accounts ask of rooms, given by the role that has both.
  public struct RoomHooks: Sendable {
    /// Leaves every room of an account that was deactivated; whether nothing is left to do.
    public typealias Departure = @Sendable (_ user: UserID) async -> Bool

    /// Counts the events that a changed profile sends, which are one for the limit of messages.
    public let limitProfileChange: @Sendable (_ requester: Requester) async throws -> Void
    /// Writes a changed profile into the user's memberships.
    public let propagateProfile: ProfileService.Propagation
    /// Leaves the rooms of a deactivated account.
    public let leaveAllRooms: Departure

    /// Collects the hooks.
    public init(
      limitProfileChange: @escaping @Sendable (_ requester: Requester) async throws -> Void,
      propagateProfile: @escaping ProfileService.Propagation, leaveAllRooms: @escaping Departure
    ) {
      self.limitProfileChange = limitProfileChange
      self.propagateProfile = propagateProfile
      self.leaveAllRooms = leaveAllRooms
    }
  }

  /// Composes the services.
  ///
  /// - Parameters:
  ///   - memberships: who is in which room.
  ///   - router: has other processes do what is theirs.
  ///   - rooms: what happens to accounts in their rooms.
  public init(
    stores: AccountStores, memberships: MembershipStore, router: CallRouter, rooms: RoomHooks, logger: Logger
  ) {
    let (config, clock, hub) = (stores.context.config, stores.context.clock, stores.context.hub)
    self.clock = clock
    self.logger = logger
    accounts = stores.accounts
    hasher = PasswordHasher(pepper: config.passwords.pepper, rounds: config.bcryptRounds)
    activity = ClientActivity(config: config, store: stores.clientIPs, hub: hub, clock: clock, logger: logger)
    authenticator = Authenticator(stores: stores, activity: activity, clock: clock)
    devices = DeviceService(stores: stores, memberships: memberships, router: router, activity: activity)
    sessions = SessionService(config: config, stores: stores, devices: devices, router: router, clock: clock)
    login = LoginService(config: config, stores: stores, sessions: sessions, hasher: hasher, clock: clock)
    let passwordPolicy = PasswordPolicy(config.passwords.policy)
    passwords = PasswordService(
      policy: passwordPolicy, hasher: hasher, store: stores.sessions, devices: devices)
    profiles = ProfileService(
      config: config, profiles: stores.profiles, accounts: stores.accounts, memberships: memberships, clock: clock,
      limitChange: rooms.limitProfileChange, propagate: rooms.propagateProfile)
    registration = RegistrationService(
      config: config, accounts: stores.accounts, tokens: stores.registrationTokens, sessions: sessions, clock: clock)
    deactivation = DeactivationService(
      config: config, store: stores.deactivations, devices: devices, router: router, logger: logger,
      leaveAllRooms: rooms.leaveAllRooms)
    userInteractiveAuth = UserInteractiveAuth(
      store: stores.userInteractiveAuth, registrationLimit: config.rateLimits.registration, clock: clock)
    confirmation = PasswordConfirmation(interactiveAuth: userInteractiveAuth, login: login)
    registrationFlow = RegistrationFlow(
      config: config, registration: registration, sessions: sessions, interactiveAuth: userInteractiveAuth,
      policy: passwordPolicy, hasher: hasher)
  }

  /// The calls that other processes make to the main process, to the writers of `device_lists` and to the first writer of `events`.
  public var calls: [ServedCall] {
    sessions.calls + registration.calls + deactivation.calls + devices.calls + profiles.calls
  }

  /// Lists the e-mail addresses and phone numbers bound to an account.
  public func identifiers(of user: UserID) async throws -> [AccountIdentifier] {
    try await accounts.thirdPartyIdentifiers(of: user).map {
      AccountIdentifier(
        medium: $0.medium, address: $0.address, validatedAtMilliseconds: $0.validatedAtMilliseconds,
        addedAtMilliseconds: $0.addedAtMilliseconds)
    }
  }

  /// Confirms and records the use of tokens, leaves the rooms of deactivated users and tidies up, each on the process whose duty it
  /// is, until cancelled.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [activity] in await activity.run() }
      group.addTask { [authenticator] in await authenticator.run() }
      group.addTask { [deactivation] in await deactivation.run() }
      group.addTask { [self] in await tidyUp() }
    }
  }

  /// Every ten minutes deletes what is too old: sessions of interactive authentication and addresses of clients.
  private func tidyUp() async {
    while activity.writesHere {
      do { try await Task.sleep(for: .seconds(600)) } catch { return }
      do {
        try await userInteractiveAuth.deleteExpiredSessions()
        try await activity.prune()
      } catch {
        logger.warning("Could not tidy up after accounts: \(error)")
      }
    }
  }
}
