import Synchronization

/// The connections that transactions borrow beside their own. They count among the connections of the pool, which has
/// at most a third of them here and makes room by letting idle threads go.
final class Companions: Sendable {
  private struct State {
    var idle: [Connection] = []
    var count = 0
    var isClosed = false
    /// The time of the next attempt to open one after that has failed.
    var nextAttempt = ContinuousClock.now
  }

  /// The time after a failed attempt to open a connection during which no request is held up by another one.
  private static let pauseAfterFailure = Duration.seconds(10)

  private let state = Mutex(State())
  private let limit: Int

  /// Makes an empty stock of at most so many connections.
  init(limit: Int) { self.limit = limit }

  /// The number of connections, idle or lent.
  var count: Int { state.withLock(\.count) }

  /// Lends a connection; nil when none is idle and no further one may be, or can be, opened.
  ///
  /// - Parameters:
  ///   - makeRoom: says whether the pool can spare one more connection, and sees to it that it does.
  ///   - open: opens a connection.
  func borrow(makeRoom: () -> Bool, open: () throws(PostgresError) -> Connection) -> Connection? {
    if let connection = state.withLock({ $0.idle.popLast() }) {
      if connection.isAlive { return connection }
      forget()
    }
    let isAdmitted = state.withLock { state in
      guard !state.isClosed, state.count < limit, state.nextAttempt <= .now else { return false }
      state.count += 1
      return true
    }
    guard isAdmitted else { return nil }
    guard makeRoom() else {
      forget()
      return nil
    }
    if let connection = try? open() { return connection }
    state.withLock { state in
      state.count -= 1
      state.nextAttempt = .now + Self.pauseAfterFailure
    }
    return nil
  }

  /// Takes a connection back; one that is of no more use is closed.
  func giveBack(_ connection: Connection) {
    let isKept = state.withLock { state in
      guard !state.isClosed, connection.isOpen else { return false }
      state.idle.append(connection)
      return true
    }
    if !isKept { forget() }
  }

  /// Closes what is idle, and what is lent as soon as it comes back.
  func close() {
    let idle = state.withLock { state in
      state.isClosed = true
      state.count -= state.idle.count
      defer { state.idle = [] }
      return state.idle
    }
    withExtendedLifetime(idle) {}
  }

  private func forget() { state.withLock { $0.count -= 1 } }
}

/// The source from which a session borrows connections.
struct CompanionLender {
  let companions: Companions
  /// Whether the pool can spare one more connection, for which it makes room.
  let makeRoom: () -> Bool
}
