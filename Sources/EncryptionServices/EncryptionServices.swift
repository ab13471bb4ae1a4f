import AccountServices
import Logging
import Replication
import Stores

/// What clients need to encrypt: keys of devices, cross-signing, and what keeps keys from getting lost.
///
/// One per process, made by the process's role.
public final class EncryptionServices: Sendable {
  private let logger: Logger
  /// Backups of room keys.
  public let keyBackups: KeyBackupService
  /// Channels to new devices, of the older kind (MSC4108).
  public let olderChannels: RendezvousService
  /// Channels to new devices, of the newer kind (MSC4388).
  public let newerChannels: RendezvousService

  /// Composes the services.
  ///
  /// - Parameters:
  ///   - accounts: devices and their announcements.
  ///   - memberships: who is in which room.
  ///   - router: has other processes do what is theirs.
  public init(
    stores: EncryptionStores, accounts: AccountServices, memberships: MembershipStore, router: CallRouter,
    logger: Logger
  ) {
    self.logger = logger
    keyBackups = KeyBackupService(store: stores.keyBackups)
    olderChannels = RendezvousService(.older, clock: stores.context.clock)
    newerChannels = RendezvousService(.newer, clock: stores.context.clock)
  }

  /// The calls that other processes make.
  public var calls: [ServedCall] { [] }

  /// Does the periodic work until cancelled.
  public func run() async {}
}
