import Replication
import RoomComposition
import ServiceLifecycle
import SyncEngine
import WorkerRuntime

/// Syncing, and what only syncing shows: typing, receipts, presence, messages for devices, account data, push rules.
public final class SyncSubsystem: Subsystem {
  /// The services.
  public let sync: SyncServices

  /// Composes the services.
  public init(_ process: ProcessContext, rooms: RoomSubsystem) {
    let stores = rooms.stores
    sync = SyncServices(
      stores: stores.rooms, users: stores.users, push: stores.push, deviceLists: stores.accounts.deviceLists,
      rooms: rooms.rooms, router: process.calls, logger: process.logger)
  }

  public var calls: [ServedCall] { sync.calls }

  public var services: [any Service] { [LoopService("sync") { [sync] in await sync.run() }] }

  public func connect() { sync.register() }

  public func start() async throws { try await sync.start() }

  public func drain() { sync.notifier.drain() }
}
