import Collections
import MatrixPrimitives
import Synchronization

/// The wait of requests until something happens that their user can see.
///
/// A user who syncs here is kept for some minutes with the rooms it has joined, so that a change in a room finds the users to wake
/// without asking anybody. Each user carries a counter that every change bumps: a request reads the counter, looks for news, and
/// waits only while the counter does not change; so a change between looking and waiting is never missed.
///
/// A waiting request costs a closure and an entry in a heap. ``run()`` ends waits whose time is up; while nobody syncs
/// here it sleeps, too.
public final class Notifier: Sendable {
  /// The reason why a wait ended.
  public enum Outcome: Sendable {
    /// Something happened; look again.
    case changed
    /// The time is up.
    case timedOut
    /// The request was cancelled, because the client hung up.
    case cancelled
    /// The process shuts down; answer with what there is.
    case draining
  }

  /// A point in a user's history of changes.
  public struct Mark: Sendable, Equatable {
    let count: UInt64
  }

  struct User: Sendable {
    var rooms: Set<RoomID> = []
    var count: UInt64 = 0
    var waiters: Set<UInt64> = []
    var lastUsed: ContinuousClock.Instant
    /// Whether the rooms have been filled in.
    var isReady = false
  }

  /// A closure that is told once why a wait ended, on whatever thread brings the news; must be quick.
  public typealias Waking = @Sendable (Outcome) -> Void

  struct Waiter: Sendable {
    let user: UserID?
    let wake: Waking
  }

  struct Deadline: Sendable, Comparable {
    let time: ContinuousClock.Instant
    let waiter: UInt64
    static func < (a: Deadline, b: Deadline) -> Bool { (a.time, a.waiter) < (b.time, b.waiter) }
  }

  struct State: Sendable {
    var users: [UserID: User] = [:]
    var rooms: [RoomID: Set<UserID>] = [:]
    var waiters: [UInt64: Waiter] = [:]
    var positionWaiters: Set<UInt64> = []
    var positionCount: UInt64 = 0
    var deadlines = Heap<Deadline>()
    var nextWaiter: UInt64 = 0
    var isDraining = false
    /// Resumed by the first request.
    var sleeper: CheckedContinuation<Void, Never>?
  }

  let state = Mutex(State())

  /// Makes a notifier without users.
  public init() {}

  /// The number of requests that wait now.
  public var waitingCount: Int { state.withLock { $0.waiters.count } }

  // MARK: Users

  /// Prepares a wait: makes the user known and returns the mark to wait from. Look for news only after this.
  ///
  /// - Parameters:
  ///   - user: the user who syncs.
  ///   - joinedRooms: asked when the user is not known yet.
  public func begin(
    _ user: UserID, joinedRooms: @Sendable () async throws -> some Sequence<RoomID>
  ) async rethrows -> Mark {
    let now = ContinuousClock.now
    let (known, sleeper) = state.withLock { state -> (Mark?, CheckedContinuation<Void, Never>?) in
      // Known before the rooms are asked for: changes of membership in between are taken note of.
      state.users[user, default: User(lastUsed: now)].lastUsed = now
      return (state.users[user].flatMap { $0.isReady ? Mark(count: $0.count) : nil }, state.sleeper.take())
    }
    sleeper?.resume()
    if let known { return known }
    let rooms = try await joinedRooms()
    return state.withLock { state in
      for room in rooms { state.join(user, room) }
      state.users[user]?.isReady = true
      return Mark(count: state.users[user]?.count ?? 0)
    }
  }

  /// Calls back when something happens to the user after `mark`, at the latest at `deadline`.
  ///
  /// - Returns: what ``cancel(_:)`` wants. The call may have come before this returns.
  public func wait(
    _ user: UserID, after mark: Mark, until deadline: ContinuousClock.Instant, then wake: @escaping Waking
  ) -> UInt64 {
    let id = nextWaiter()
    register(Waiter(user: user, wake: wake), id, until: deadline) { state in
      guard let known = state.users[user], known.count == mark.count else { return .changed }
      state.users[user]?.waiters.insert(id)
      return nil
    }
    return id
  }

  /// Ends a wait with ``Outcome/cancelled``; does nothing when it has ended.
  public func cancel(_ wait: UInt64) {
    resume(.cancelled) { state in state.remove(wait).map { [$0.wake] } ?? [] }
  }

  /// Wakes users.
  public func wake(users: some Sequence<UserID>) {
    resume(.changed) { state in
      var woken: [Waking] = []
      for user in users { state.wake(user, into: &woken) }
      return woken
    }
  }

  /// Wakes everybody who has joined one of the rooms.
  public func wake(rooms: some Sequence<RoomID>) {
    resume(.changed) { state in
      var woken: [Waking] = []
      for room in rooms { for user in state.rooms[room] ?? [] { state.wake(user, into: &woken) } }
      return woken
    }
  }

  /// Takes note that a user's membership of a room changed, and wakes the user.
  public func membershipChanged(_ user: UserID, in room: RoomID, isJoined: Bool) {
    resume(.changed) { state in
      guard state.users[user] != nil else { return [] }
      if isJoined { state.join(user, room) } else { state.leave(user, room) }
      var woken: [Waking] = []
      state.wake(user, into: &woken)
      return woken
    }
  }

  // MARK: Positions

  /// Returns a mark for ``waitForPosition(after:until:)``; read it before comparing positions.
  func positionMark() -> Mark { state.withLock { Mark(count: $0.positionCount) } }

  /// Waits until some stream moves after `mark`.
  func waitForPosition(after mark: Mark, until deadline: ContinuousClock.Instant) async -> Outcome {
    let id = nextWaiter()
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        register(Waiter(user: nil) { continuation.resume(returning: $0) }, id, until: deadline) { state in
          if Task.isCancelled { return .cancelled }
          guard state.positionCount == mark.count else { return .changed }
          state.positionWaiters.insert(id)
          return nil
        }
      }
    } onCancel: {
      cancel(id)
    }
  }

  /// Takes note that a stream moved.
  func positionMoved() {
    resume(.changed) { state in
      state.positionCount &+= 1
      let waiting = state.positionWaiters
      state.positionWaiters.removeAll()
      return waiting.compactMap { state.waiters.removeValue(forKey: $0)?.wake }
    }
  }

  // MARK: Life

  /// Ends every wait with ``Outcome/draining``, now and from now on.
  public func drain() {
    resume(.draining) { state in
      state.isDraining = true
      let all = state.waiters.values.map(\.wake)
      state.waiters.removeAll()
      state.positionWaiters.removeAll()
      for user in state.users.keys { state.users[user]?.waiters.removeAll() }
      return all
    }
  }

  /// Ends waits whose time is up, until the task is cancelled; then drains.
  public func run() async {
    var forgotAt = ContinuousClock.now
    while !Task.isCancelled {
      await sleepUntilSomebodySyncs()
      do { try await Task.sleep(for: .milliseconds(100)) } catch { break }
      let now = ContinuousClock.now
      expireWaits(now: now)
      if forgotAt + .seconds(60) <= now {
        forgetUsers(unusedSince: now - .seconds(300))
        forgotAt = now
      }
    }
    drain()
  }

  private func sleepUntilSomebodySyncs() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isAwake = state.withLock { state in
          guard state.deadlines.isEmpty, state.users.isEmpty, !state.isDraining, !Task.isCancelled else { return true }
          state.sleeper = continuation
          return false
        }
        if isAwake { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.sleeper.take() }?.resume()
    }
  }

  func expireWaits(now: ContinuousClock.Instant) {
    resume(.timedOut) { state in
      var expired: [Waking] = []
      while let first = state.deadlines.min, first.time <= now {
        state.deadlines.removeMin()
        if let waiter = state.remove(first.waiter) { expired.append(waiter.wake) }
      }
      state.forgetEndedDeadlines()
      return expired
    }
  }

  func forgetUsers(unusedSince limit: ContinuousClock.Instant) {
    state.withLock { state in
      for (user, known) in state.users where known.waiters.isEmpty && known.lastUsed < limit {
        for room in known.rooms { state.leave(user, room) }
        state.users[user] = nil
      }
    }
  }

  // MARK: Waiting

  private func nextWaiter() -> UInt64 {
    state.withLock { state in
      state.nextWaiter &+= 1
      return state.nextWaiter
    }
  }

  /// Registers a wait, unless `begin` or something else finds that it is over already.
  private func register(
    _ waiter: Waiter, _ id: UInt64, until deadline: ContinuousClock.Instant, begin: (inout State) -> Outcome?
  ) {
    let (ready, sleeper) = state.withLock { state -> (Outcome?, CheckedContinuation<Void, Never>?) in
      if state.isDraining { return (.draining, nil) }
      if deadline <= .now { return (.timedOut, nil) }
      if let outcome = begin(&state) { return (outcome, nil) }
      state.waiters[id] = waiter
      state.deadlines.insert(Deadline(time: deadline, waiter: id))
      return (nil, state.sleeper.take())
    }
    sleeper?.resume()
    if let ready { waiter.wake(ready) }
  }

  /// Resumes outside the lock what `body` takes out of the state.
  private func resume(_ outcome: Outcome, _ body: (inout State) -> [Waking]) {
    for wake in state.withLock({ body(&$0) }) { wake(outcome) }
  }
}

extension Notifier.State {
  /// Drops the deadlines of waits that have ended before their time, when they have become more than the others.
  mutating func forgetEndedDeadlines() {
    guard deadlines.count > 2 * waiters.count + 1024 else { return }
    deadlines = Heap(deadlines.unordered.filter { waiters[$0.waiter] != nil })
  }

  mutating func join(_ user: UserID, _ room: RoomID) {
    guard users[user]?.rooms.insert(room).inserted == true else { return }
    rooms[room, default: []].insert(user)
  }

  mutating func leave(_ user: UserID, _ room: RoomID) {
    users[user]?.rooms.remove(room)
    rooms[room]?.remove(user)
    if rooms[room]?.isEmpty == true { rooms[room] = nil }
  }

  mutating func wake(_ user: UserID, into woken: inout [Notifier.Waking]) {
    guard users[user] != nil else { return }
    users[user]?.count &+= 1
    guard let waiting = users[user]?.waiters, !waiting.isEmpty else { return }
    users[user]?.waiters.removeAll()
    for id in waiting { if let waiter = waiters.removeValue(forKey: id) { woken.append(waiter.wake) } }
  }

  mutating func remove(_ id: UInt64) -> Notifier.Waiter? {
    guard let waiter = waiters.removeValue(forKey: id) else { return nil }
    if let user = waiter.user { users[user]?.waiters.remove(id) } else { positionWaiters.remove(id) }
    return waiter
  }
}
