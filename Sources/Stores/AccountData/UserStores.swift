/// The stores of what users' clients keep and send: account data, filters, receipts, presence, messages for devices.
public final class UserStores: Sendable {
  /// What the stores are made from.
  public let context: StoreContext
  /// Account data, tags and ignored users.
  public let accountData: AccountDataStore
  /// Clients' filters.
  public let filters: FilterStore
  /// Receipts.
  public let receipts: ReceiptStore
  /// Presence.
  public let presence: PresenceStore
  /// Messages for devices.
  public let toDevice: ToDeviceStore
  /// The barrier by which requests see what was committed before they began.
  public let barrier: ReadBarrier

  /// Makes the stores; nothing is read yet.
  public init(_ context: StoreContext) {
    self.context = context
    accountData = AccountDataStore(context)
    filters = FilterStore(context)
    receipts = ReceiptStore(context)
    presence = PresenceStore(context)
    toDevice = ToDeviceStore(context)
    barrier = ReadBarrier(context)
    context.ids.follow(.threadSubscriptions)
  }
}
