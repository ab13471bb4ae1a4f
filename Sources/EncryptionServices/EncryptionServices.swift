import AccountServices
import Stores

/// What clients need to encrypt: keys of devices, cross-signing, and what keeps keys from getting lost.
///
/// One per process, made by the process's role.
public final class EncryptionServices: Sendable {
  /// The keys that devices publish.
  public let deviceKeys: DeviceKeyService
  /// The keys that users query.
  public let keyQueries: KeyQueryService
  /// The keys by which users vouch for each other.
  public let crossSigning: CrossSigningService
  /// The signatures made with them.
  public let keySignatures: KeySignatureService
  /// Backups of room keys.
  public let keyBackups: KeyBackupService
  /// Devices that users leave behind to receive messages.
  public let dehydratedDevices: DehydratedDeviceService
  /// Channels to new devices, of the older kind (MSC4108).
  public let olderChannels: RendezvousService
  /// Channels to new devices, of the newer kind (MSC4388).
  public let newerChannels: RendezvousService

  /// Composes the services.
  ///
  /// - Parameters:
  ///   - toDevice: messages for devices.
  ///   - accounts: devices and their announcements.
  public init(stores: EncryptionStores, toDevice: ToDeviceStore, accounts: AccountServices) {
    deviceKeys = DeviceKeyService(stores: stores, devices: accounts.devices)
    keyQueries = KeyQueryService(stores: stores)
    crossSigning = CrossSigningService(stores: stores, devices: accounts.devices)
    keySignatures = KeySignatureService(stores: stores, devices: accounts.devices)
    keyBackups = KeyBackupService(store: stores.keyBackups)
    dehydratedDevices = DehydratedDeviceService(stores: stores, toDevice: toDevice, devices: accounts.devices)
    olderChannels = RendezvousService(.older, clock: stores.context.clock)
    newerChannels = RendezvousService(.newer, clock: stores.context.clock)
  }
}
