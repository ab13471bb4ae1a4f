import Collections
import MatrixPrimitives

/// The users whose presence has to be looked at, and when.
///
/// Times are rounded up to a multiple of a granularity, and a user counts once for each: a user who syncs a thousand times a second
/// leaves no more behind than one who syncs once.
struct PresenceChecks: Sendable {
  private let granularity: Int64
  private var users: [Int64: Set<UserID>] = [:]
  private var times = Heap<Int64>()

  /// Makes an empty list.
  ///
  /// - Parameter timers: the spans that lead to checks; the shortest decides how far times are rounded, to five seconds at most.
  init(timers: PresenceTimers) {
    let shortest = min(
      timers.lastActiveGranularity, timers.syncOnlineTimeout, timers.idleTimeout, timers.busyTimeout)
    granularity = min(max(shortest / 6, 1), 5_000)
  }

  /// The number of checks to be made.
  var count: Int { users.values.reduce(0) { $0 + $1.count } }

  /// Adds a check, to be made at a time or up to the granularity later.
  ///
  /// - Parameter time: in milliseconds since 1970.
  mutating func insert(_ user: UserID, at time: Int64) {
    guard time < .max - 2 * granularity else { return }  // No clock gets there.
    let rounded = (time / granularity + 1) * granularity
    if users[rounded] == nil { times.insert(rounded) }
    users[rounded, default: []].insert(user)
  }

  /// Takes out the users whose time has come.
  mutating func takeDue(now: Int64) -> Set<UserID> {
    var due: Set<UserID> = []
    while let first = times.min, first <= now {
      times.removeMin()
      due.formUnion(users.removeValue(forKey: first) ?? [])
    }
    return due
  }
}
