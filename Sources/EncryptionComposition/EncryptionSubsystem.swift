import AccountComposition
import EncryptionServices
import Replication
import RoomComposition
import ServiceLifecycle
import WorkerRuntime

/// Keys of devices and users.
package final class EncryptionSubsystem: Subsystem {
  /// The services.
  package let encryption: EncryptionServices

  /// Composes the services.
  package init(_ process: ProcessContext, rooms: RoomSubsystem, accounts: AccountSubsystem) {
    encryption = EncryptionServices(
      stores: rooms.stores.encryption, toDevice: rooms.stores.users.toDevice, accounts: accounts.accounts,
      memberships: rooms.stores.rooms.memberships, router: process.calls, logger: process.logger)
  }

  package var calls: [ServedCall] { encryption.calls }

  package var services: [any Service] { [LoopService("encryption") { [encryption] in await encryption.run() }] }
}
