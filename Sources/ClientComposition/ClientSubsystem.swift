import AccountComposition
import ClientEndpoints
import DirectoryComposition
import EncryptionComposition
import EndpointKit
import PushComposition
import RateLimits
import RoomComposition
import SyncComposition
import WorkerRuntime

/// The client-server API.
package struct ClientSubsystem: Subsystem {
  package let families: [EndpointFamily]

  /// Makes the endpoints.
  package init(
    _ process: ProcessContext, rooms: RoomSubsystem, accounts: AccountSubsystem, sync: SyncSubsystem,
    encryption: EncryptionSubsystem, directory: DirectorySubsystem
  ) {
    let (config, clock) = (process.config, process.clock)
    let (rooms, accounts, sync) = (rooms.rooms, accounts.accounts, sync.sync)
    let encryption = encryption.encryption
    let presenceLimit = RateLimiter(config.rateLimits.presencePerUser, clock: clock)
    families = [
      ServerEndpoints(config: config).family,
      TurnEndpoints(settings: config.turn, clock: clock).family,
      CallTransportEndpoints(config: config).family,
      BridgedNetworkEndpoints().family,
      RegistrationEndpoints(config: config, accounts: accounts).family,
      LoginEndpoints(config: config, accounts: accounts).family,
      AccountEndpoints(accounts: accounts).family,
      ThirdPartyEndpoints(accounts: accounts).family,
      AddressValidationEndpoints(accounts: accounts).family,
      FallbackEndpoints(accounts: accounts).family,
      ConsentEndpoints(accounts: accounts).family,
      OpenIDEndpoints(config: config, accounts: accounts).family,
      OpenIDEndpoints(config: config, accounts: accounts).publicFamily,
      DeviceEndpoints(accounts: accounts).family,
      PusherEndpoints(pushers: accounts.pushers).family,
      ProfileEndpoints(accounts: accounts, config: config).family,
      AccountStateEndpoints(accounts: accounts, config: config).family,
      UserDirectoryEndpoints(directory: directory.directory).family,
      ReportEndpoints(reports: directory.reports, rooms: rooms, config: config).family,
      RoomCreationEndpoints(rooms: rooms).family,
      RoomMembershipEndpoints(rooms: rooms).family,
      RoomSendEndpoints(rooms: rooms).family,
      RoomHistoryEndpoints(rooms: rooms, clock: clock).family,
      RoomStateEndpoints(rooms: rooms, clock: clock).family,
      ThreadEndpoints(rooms: rooms, subscriptions: sync.threadSubscriptions, clock: clock).family,
      RoomDirectoryEndpoints(rooms: rooms, config: config).family,
      DelayedEventEndpoints(rooms: rooms).family,
      SpaceEndpoints(rooms: rooms).family,
      SearchEndpoints(rooms: rooms, clock: clock).family,
      RoomUpgradeEndpoints(rooms: rooms).family,
      SyncEndpoints(services: sync, presenceLimit: presenceLimit).family,
      SnapshotEndpoints(services: sync, history: rooms.history, presenceLimit: presenceLimit).family,
      SlidingSyncEndpoints(services: sync, presenceLimit: presenceLimit, config: config).family,
      TypingEndpoints(typing: sync.typing, presence: sync.presence).family,
      ReceiptEndpoints(receipts: sync.receipts, presence: sync.presence).family,
      PresenceEndpoints(presence: sync.presence, limit: presenceLimit, clock: clock).family,
      KeyEndpoints(encryption: encryption, accounts: accounts, sync: sync).family,
      KeyBackupEndpoints(backups: encryption.keyBackups).family,
      DehydratedDeviceEndpoints(
        devices: encryption.dehydratedDevices, isEnabled: config.experimental.hasDehydratedDevices
      ).family,
      RendezvousEndpoints(older: encryption.olderChannels, newer: encryption.newerChannels, config: config).family,
      ToDeviceEndpoints(toDevice: sync.toDevice).family,
      AccountDataEndpoints(accountData: sync.accountData).family,
      FilterEndpoints(filters: sync.filters).family,
      PushRuleEndpoints(pushRules: sync.pushRules).family,
      NotificationEndpoints(notifications: sync.notifications, serializer: rooms.serializer, clock: clock).family,
    ]
  }
}

/// The subsystems that a process which serves clients has, whatever else it does.
package struct ClientServing: Sendable {
  /// Rooms.
  package let rooms: RoomSubsystem
  /// Accounts.
  package let accounts: AccountSubsystem
  /// Syncing.
  package let sync: SyncSubsystem
  /// Keys.
  package let encryption: EncryptionSubsystem
  private let push: PushSubsystem
  private let directory: DirectorySubsystem
  private let clients: ClientSubsystem

  /// Composes the subsystems.
  ///
  /// - Throws: `ConfigError` when there is no signing key.
  package init(_ process: ProcessContext) throws {
    rooms = try RoomSubsystem(process)
    accounts = AccountSubsystem(process, rooms: rooms)
    sync = SyncSubsystem(process, rooms: rooms)
    encryption = EncryptionSubsystem(rooms: rooms, accounts: accounts)
    push = PushSubsystem(process, stores: rooms.stores.push)
    directory = DirectorySubsystem(process, rooms: rooms)
    clients = ClientSubsystem(
      process, rooms: rooms, accounts: accounts, sync: sync, encryption: encryption, directory: directory)
  }

  /// Joins them with those that an executable has of its own.
  package func composition(with others: [any Subsystem] = []) -> Composition {
    Composition(
      [rooms, accounts, sync, encryption, push, directory, clients] + others, authenticator: accounts.authenticator)
  }
}
