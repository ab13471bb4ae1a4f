/// Stores of what clients need to encrypt: keys of devices and users, their backups, devices that wait to be woken.
public final class EncryptionStores: Sendable {
  /// What the stores are made from.
  public let context: StoreContext
  /// The keys that users query.
  public let publicKeys: PublicKeyStore
  /// The keys that devices publish.
  public let deviceKeys: DeviceKeyStore
  /// Cross-signing keys and signatures.
  public let crossSigning: CrossSigningStore
  /// Backups of room keys.
  public let keyBackups: KeyBackupStore

  /// Makes the stores; nothing is read yet.
  public init(_ context: StoreContext) {
    self.context = context
    publicKeys = PublicKeyStore(context)
    deviceKeys = DeviceKeyStore(context, published: publicKeys)
    crossSigning = CrossSigningStore(context)
    keyBackups = KeyBackupStore(context)
  }
}
