/// Stores of push rules, of what is unread, and of pushers.
public final class PushStores: Sendable {
  /// What the stores are made from.
  public let context: StoreContext
  /// Push rules.
  public let rules: PushRuleStore
  /// Sums of push actions.
  public let summaries: PushSummaryStore
  /// Counts of what users have not read.
  public let notificationCounts: NotificationCountStore
  /// The barrier by which requests see what was committed before they began.
  public let barrier: ReadBarrier

  /// Makes the stores; nothing is read yet.
  ///
  /// - Parameters:
  ///   - events: the newest events end what is known of counts.
  ///   - receipts: the newest receipts do, too.
  public init(_ context: StoreContext, events: EventStore, receipts: ReceiptStore) {
    self.context = context
    rules = PushRuleStore(context)
    summaries = PushSummaryStore(context)
    notificationCounts = NotificationCountStore(context, events: events, receipts: receipts)
    barrier = ReadBarrier(context)
    context.ids.follow(.pushers)
  }
}
