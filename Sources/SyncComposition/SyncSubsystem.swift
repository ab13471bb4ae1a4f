import Replication
import RoomComposition
import ServiceLifecycle
import SyncEngine
import WorkerRuntime

/// Syncing, and what only syncing shows: typing, receipts, presence, messages for devices, account data, push rules.
package final class SyncSubsystem: Subsystem {
  /// The services.
  package let sync: SyncServices

  /// Composes the services.
  package init(_ process: ProcessContext, rooms: RoomSubsystem) {
    let stores = rooms.stores
    sync = SyncServices(
      stores: stores.rooms, users: stores.users, push: stores.push, deviceLists: stores.accounts.deviceLists,
      rooms: rooms.rooms, router: process.calls, logger: process.logger)
  }

  package var calls: [ServedCall] { sync.calls }

  package var services: [any Service] { [LoopService("sync") { [sync] in await sync.run() }] }

  package func connect() { sync.register() }

  package func start() async throws { try await sync.start() }

  package func drain() { sync.notifier.drain() }
}
