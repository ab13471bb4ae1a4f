/// Stores of what clients need to encrypt: keys of devices and users, their backups, devices that wait to be woken.
public final class EncryptionStores: Sendable {
  /// What the stores are made from.
  public let context: StoreContext
  /// Backups of room keys.
  public let keyBackups: KeyBackupStore

  /// Makes the stores; nothing is read yet.
  public init(_ context: StoreContext) {
    self.context = context
    keyBackups = KeyBackupStore(context)
  }
}
