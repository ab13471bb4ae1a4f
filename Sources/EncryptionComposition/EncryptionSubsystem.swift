import AccountComposition
import EncryptionServices
import RoomComposition
import WorkerRuntime

/// Keys of devices and users.
package final class EncryptionSubsystem: Subsystem {
  /// The services.
  package let encryption: EncryptionServices

  /// Composes the services.
  package init(rooms: RoomSubsystem, accounts: AccountSubsystem) {
    encryption = EncryptionServices(
      stores: rooms.stores.encryption, toDevice: rooms.stores.users.toDevice, accounts: accounts.accounts)
  }
}
