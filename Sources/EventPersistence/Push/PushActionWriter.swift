import MatrixPrimitives
import Postgres
import Stores

/// The one writer of push actions that go with events.
///
/// Many rows cost more than the rest of their events, because of the table's indexes. They are written by companions of the events'
/// transaction (`Transaction.runBeside`), which are committed just before it; what a crash between the commits leaves is removed by
/// ``PushActionOrphans``. Without companions all is written by the events' own transaction, and there are no orphans.
struct PushActionWriter: Sendable {
  /// The number of rows from which on a connection of their own is worth the two round trips that it costs, and two are.
  private static let rowsWorthConnection = 8
  private static let rowsWorthTwo = 64
  /// The number of events from which on their staged actions, of which it is not known how many there are, are likely worth a
  /// connection.
  private static let eventsWorthConnection = 4

  let store: PushActionStore
  let orphans: PushActionOrphans
  /// Whether companions are used at all.
  let usesCompanions: Bool

  /// Writes what push rules want done: given with the events, or staged by another process. Comes first in the transaction, so
  /// that the companions run beside the rest.
  ///
  /// - Parameters:
  ///   - accepted: the new events that the auth rules accepted.
  ///   - given: all events of the transaction, those included that are stored already.
  ///   - isRedacting: whether actions are removed by the same transaction, which must see those that it adds therefore.
  func write(_ accepted: [NewEvent], given: [PersistableEvent], isRedacting: Bool, in txn: Transaction) {
    let mayGoBeside = usesCompanions && !isRedacting
    if mayGoBeside { txn.ifOrphaned { [orphans] in orphans.look() } }
    let notifiable = accepted.filter { Self.mayNotify($0.item) }
    // An attempt before, which was about to store the same events, may have left some.
    if txn.isRepeated { store.enqueueRemoval(at: notifiable.map(\.stored.streamOrdering), in: txn) }
    insert(notifiable, in: txn, mayGoBeside: mayGoBeside)
    move(notifiable, given: given, in: txn, mayGoBeside: mayGoBeside)
  }

  private func insert(_ events: [NewEvent], in txn: Transaction, mayGoBeside: Bool) {
    let rows = events.flatMap { event in
      (event.item.pushActions ?? []).map { PushActionStore.Rows(event: event.stored, action: $0) }
    }
    guard !rows.isEmpty else { return }
    let count = rows.reduce(0) { $0 + $1.action.userIDs.count }
    guard mayGoBeside, count >= Self.rowsWorthConnection else { return txn.enqueue(PushActionStore.insertion(rows)) }
    guard count >= Self.rowsWorthTwo else { return txn.runBeside(PushActionStore.insertion(rows)) }
    for half in Self.halves(rows) where !half.isEmpty { txn.runBeside(PushActionStore.insertion(half)) }
  }

  private func move(_ events: [NewEvent], given: [PersistableEvent], in txn: Transaction, mayGoBeside: Bool) {
    let staged = given.filter { $0.pushActions == nil && Self.mayNotify($0) }
    guard !staged.isEmpty else { return }
    let fresh = events.filter { $0.item.pushActions == nil }.map(\.stored)
    if !fresh.isEmpty {
      let movement = PushActionStore.movement(fresh)
      if mayGoBeside, fresh.count >= Self.eventsWorthConnection {
        txn.runBeside(movement)
      } else {
        txn.enqueue(movement)
      }
    }
    store.enqueueUnstaging(staged.map(\.event.eventID), in: txn)
  }

  private static func mayNotify(_ item: PersistableEvent) -> Bool {
    !item.isOutlier || item.metadata.outOfBandMembership
  }

  // MARK: halves

  /// Parts rows by their users, so that both halves touch different pages of most indexes.
  private static func halves(_ rows: [PushActionStore.Rows]) -> [[PushActionStore.Rows]] {
    guard let middle = middle(of: rows.map(\.action.userIDs)) else { return [rows] }
    var (lower, upper): ([PushActionStore.Rows], [PushActionStore.Rows]) = ([], [])
    for var entry in rows {
      var users = entry.action.userIDs
      let edge = users.partition { !($0 < middle) }
      entry.action.userIDs = Array(users[..<edge])
      if edge > 0 { lower.append(entry) }
      entry.action.userIDs = Array(users[edge...])
      if edge < users.count { upper.append(entry) }
    }
    return [lower, upper]
  }

  /// The number of users among whom the middle one is sought.
  private static let middleSamples = 128

  /// Finds a user that about half of the rows come before, whatever the users of the single rooms; nil when there are none.
  static func middle(of users: [[UserID]]) -> UserID? {
    let step = max(1, users.reduce(0) { $0 + $1.count } / middleSamples)
    var samples: [UserID] = []
    var next = 0
    for list in users {
      while next < list.count {
        samples.append(list[next])
        next += step
      }
      next -= list.count
    }
    samples.sort()
    return samples.isEmpty ? nil : samples[samples.count / 2]
  }
}
