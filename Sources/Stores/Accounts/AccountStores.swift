/// Stores of accounts: users, sessions, devices, profiles.
public final class AccountStores: Sendable {
  /// What the stores are made from.
  public let context: StoreContext
  /// Accounts.
  public let accounts: AccountStore
  /// Access tokens.
  public let accessTokens: AccessTokenStore
  /// Sessions: opened, exchanged, ended.
  public let sessions: SessionStore
  /// Closed accounts, and those that were erased.
  public let deactivations: DeactivationStore
  /// From where tokens were used.
  public let clientIPs: ClientIPStore
  /// Devices.
  public let devices: DeviceStore
  /// What others must learn of devices.
  public let deviceLists: DeviceListStore
  /// Pushers.
  public let pushers: PusherStore
  /// Profiles.
  public let profiles: ProfileStore
  /// Uses of registration tokens.
  public let registrationTokens: RegistrationTokenStore
  /// Sessions of user-interactive authentication.
  public let userInteractiveAuth: UserInteractiveAuthStore

  /// Makes the stores; nothing is read yet.
  public init(_ context: StoreContext) {
    self.context = context
    accounts = AccountStore(context)
    accessTokens = AccessTokenStore(context)
    devices = DeviceStore(context)
    deviceLists = DeviceListStore(context)
    sessions = SessionStore(context, devices: devices)
    deactivations = DeactivationStore(context, sessions: sessions)
    clientIPs = ClientIPStore(context)
    pushers = PusherStore(context)
    profiles = ProfileStore(context)
    registrationTokens = RegistrationTokenStore(context)
    userInteractiveAuth = UserInteractiveAuthStore(context)
    context.ids.follow(.profileUpdates, .crossSigningKeys)
  }
}
