import AccountComposition
import ClientEndpoints
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
  package init(_ process: ProcessContext, rooms: RoomSubsystem, accounts: AccountSubsystem, sync: SyncSubsystem) {
    let (config, clock) = (process.config, process.clock)
    let (rooms, accounts, sync) = (rooms.rooms, accounts.accounts, sync.sync)
    let presenceLimit = RateLimiter(config.rateLimits.presencePerUser, clock: clock)
    families = [
      ServerEndpoints(config: config).family,
      TurnEndpoints(settings: config.turn, clock: clock).family,
      RegistrationEndpoints(config: config, accounts: accounts).family,
      LoginEndpoints(config: config, accounts: accounts).family,
      AccountEndpoints(accounts: accounts).family,
      DeviceEndpoints(accounts: accounts).family,
      ProfileEndpoints(accounts: accounts).family,
      RoomCreationEndpoints(rooms: rooms).family,
      RoomMembershipEndpoints(rooms: rooms).family,
      RoomSendEndpoints(rooms: rooms).family,
      RoomHistoryEndpoints(rooms: rooms, clock: clock).family,
      RoomStateEndpoints(rooms: rooms, clock: clock).family,
      ThreadEndpoints(rooms: rooms, subscriptions: sync.threadSubscriptions, clock: clock).family,
      RoomDirectoryEndpoints(rooms: rooms, config: config).family,
      SyncEndpoints(services: sync, presenceLimit: presenceLimit).family,
      SnapshotEndpoints(services: sync, history: rooms.history, presenceLimit: presenceLimit).family,
      TypingEndpoints(typing: sync.typing, presence: sync.presence).family,
      ReceiptEndpoints(receipts: sync.receipts, presence: sync.presence).family,
      PresenceEndpoints(presence: sync.presence, limit: presenceLimit, clock: clock).family,
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
  private let push: PushSubsystem
  private let clients: ClientSubsystem

  /// Composes the subsystems.
  ///
  /// - Throws: `ConfigError` when there is no signing key.
  package init(_ process: ProcessContext) throws {
    rooms = try RoomSubsystem(process)
    accounts = AccountSubsystem(process, rooms: rooms)
    sync = SyncSubsystem(process, rooms: rooms)
    push = PushSubsystem(process, stores: rooms.stores.push)
    clients = ClientSubsystem(process, rooms: rooms, accounts: accounts, sync: sync)
  }

  /// Joins them with those that an executable has of its own.
  package func composition(with others: [any Subsystem] = []) -> Composition {
    Composition([rooms, accounts, sync, push, clients] + others, authenticator: accounts.authenticator)
  }
}
