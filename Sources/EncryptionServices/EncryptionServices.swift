import AccountServices
import Logging
import Replication
import Stores

/// What clients need to encrypt: keys of devices, cross-signing, and what keeps keys from getting lost.
///
/// One per process, made by the process's role.
public final class EncryptionServices: Sendable {
  private let logger: Logger

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
  }

  /// The calls that other processes make.
  public var calls: [ServedCall] { [] }

  /// Does the periodic work until cancelled.
  public func run() async {}
}
