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
  /// The time.
  public let clock: ServerClock
  private let logger: Logger
  private let accounts: AccountStore
  /// The record of where tokens are used.
  public let activity: ClientActivity
  /// The lookup of requesters by access token.
  public let authenticator: Authenticator
  /// Adding, renaming and removing devices.
  public let devices: DeviceService
  /// What users have announced elsewhere.
  public let pushers: PusherService
  /// Hashing and checking of passwords, off the event loops.
  let hasher: PasswordHasher
  /// Password checks and the opening of sessions.
  public let login: LoginService
  /// The change of passwords.
  public let passwords: PasswordService
  /// The request to logged-in users for their password.
  public let confirmation: PasswordConfirmation
  /// Reading and changing profiles.
  public let profiles: ProfileService
  /// The creation of accounts.
  let registration: RegistrationService
  /// The registration of accounts by clients.
  public let registrationFlow: RegistrationFlow
  /// The closing of accounts.
  public let deactivation: DeactivationService
  /// What administrators do to accounts.
  public let states: AccountStateService
  /// Opening, refreshing and closing sessions.
  public let sessions: SessionService
  /// The stages of interactive authentication.
  let userInteractiveAuth: UserInteractiveAuth

  /// What accounts ask of rooms, given by the role that has both.
  public struct RoomHooks: Sendable {
    /// A closure that leaves every room of a deactivated account and returns whether nothing is left to do.
    public typealias Departure = @Sendable (_ user: UserID) async -> Bool

    /// Charges a changed profile, which may send many events, once against the limit of messages.
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
    states = AccountStateService(config: config, stores: stores, activity: activity)
    pushers = PusherService(stores: stores, router: router)
    devices = DeviceService(
      stores: stores, memberships: memberships, router: router, activity: activity, pushers: pushers)
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
      config: config, store: stores.deactivations, devices: devices, pushers: pushers, router: router, logger: logger,
      leaveAllRooms: rooms.leaveAllRooms)
    userInteractiveAuth = UserInteractiveAuth(
      store: stores.userInteractiveAuth, registrationLimit: config.rateLimits.registration, clock: clock)
    confirmation = PasswordConfirmation(interactiveAuth: userInteractiveAuth, login: login)
    registrationFlow = RegistrationFlow(
      config: config, registration: registration, sessions: sessions, interactiveAuth: userInteractiveAuth,
      policy: passwordPolicy, hasher: hasher)
  }

  /// The calls that other processes make to the main process, to the writers of `device_lists` and `pushers` and to the first writer of `events`.
  public var calls: [ServedCall] {
    sessions.calls + registration.calls + deactivation.calls + devices.calls + pushers.calls + profiles.calls
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

  private static let roundsPerDay = 144

  /// Every ten minutes deletes what is too old: sessions of interactive authentication and addresses of clients; once a day devices.
  private func tidyUp() async {
    var rounds = 0
    while activity.writesHere {
      do { try await Task.sleep(for: .seconds(600)) } catch { return }
      do {
        try await userInteractiveAuth.deleteExpiredSessions()
        try await activity.prune()
        rounds += 1
        if rounds.isMultiple(of: Self.roundsPerDay) { try await devices.deleteStale() }
      } catch {
        logger.warning("Could not tidy up after accounts: \(error)")
      }
    }
  }
}
