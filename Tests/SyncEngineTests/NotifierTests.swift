import MatrixPrimitives
import Testing

@testable import SyncEngine

@Suite struct NotifierTests {
  let alice = UserID(unchecked: "@alice:test")
  let bob = UserID(unchecked: "@bob:test")
  let room = RoomID(unchecked: "!r:test")

  private func begin(_ notifier: Notifier, _ user: UserID, _ rooms: [RoomID] = []) async -> Notifier.Mark {
    await notifier.begin(user) { rooms }
  }

  private func waiting(_ notifier: Notifier, _ count: Int) async {
    while notifier.waitingCount != count { await Task.yield() }
  }

  private let soon = ContinuousClock.now + .seconds(600)

  @Test func aChangeBetweenLookingAndWaitingIsNotMissed() async {
    let notifier = Notifier()
    let mark = await begin(notifier, alice, [room])
    notifier.wake(rooms: [room])
    #expect(await notifier.wait(alice, after: mark, until: soon) == .changed)
  }

  @Test func onlyThoseConcernedAreWoken() async {
    let notifier = Notifier()
    let (one, two) = (await begin(notifier, alice, [room]), await begin(notifier, bob))
    async let first = notifier.wait(alice, after: one, until: soon)
    async let second = notifier.wait(bob, after: two, until: soon)
    await waiting(notifier, 2)
    notifier.wake(rooms: [room])
    #expect(await first == .changed)
    #expect(notifier.waitingCount == 1)
    notifier.membershipChanged(bob, in: room, isJoined: true)
    #expect(await second == .changed)
    let again = await begin(notifier, bob)
    notifier.wake(rooms: [room])
    #expect(await notifier.wait(bob, after: again, until: soon) == .changed)
    notifier.membershipChanged(bob, in: room, isJoined: false)
    let left = await begin(notifier, bob)
    notifier.wake(rooms: [room])
    #expect(await begin(notifier, bob) == left)
  }

  @Test func waitsEndInTimeOnCancellationAndAtTheEnd() async {
    let notifier = Notifier()
    let mark = await begin(notifier, alice)
    #expect(await notifier.wait(alice, after: mark, until: .now) == .timedOut)
    async let timed = notifier.wait(alice, after: mark, until: .now + .seconds(100))
    await waiting(notifier, 1)
    notifier.expireWaits(now: .now + .seconds(101))
    #expect(await timed == .timedOut)
    let cancelled: Notifier.Outcome = await withCheckedContinuation { continuation in
      let wait = notifier.wait(alice, after: mark, until: soon) { continuation.resume(returning: $0) }
      notifier.cancel(wait)
      notifier.cancel(wait)
    }
    #expect(cancelled == .cancelled && notifier.waitingCount == 0)
    async let drained = notifier.wait(alice, after: mark, until: soon)
    await waiting(notifier, 1)
    notifier.drain()
    #expect(await drained == .draining)
    #expect(await notifier.wait(alice, after: mark, until: soon) == .draining)
    #expect(notifier.waitingCount == 0)
  }

  @Test func usersWhoStayAwayAreForgotten() async {
    let notifier = Notifier()
    _ = await begin(notifier, alice, [room])
    notifier.forgetUsers(unusedSince: .now + .seconds(1))
    #expect(notifier.state.withLock { $0.users.isEmpty && $0.rooms.isEmpty })
  }

  @Test func positionsWakeThoseWhoWaitForThem() async {
    let notifier = Notifier()
    let mark = notifier.positionMark()
    async let moved = notifier.waitForPosition(after: mark, until: soon)
    await waiting(notifier, 1)
    notifier.positionMoved()
    #expect(await moved == .changed)
    #expect(await notifier.waitForPosition(after: mark, until: soon) == .changed)
  }

  @Test func waitsThatEndedEarlyAreForgotten() async {
    let notifier = Notifier()
    var mark = await begin(notifier, alice, [room])
    for _ in 0..<1100 {
      async let woken = notifier.wait(alice, after: mark, until: soon)
      await waiting(notifier, 1)
      notifier.wake(rooms: [room])
      #expect(await woken == .changed)
      mark = await begin(notifier, alice, [room])
    }
    async let last = notifier.wait(alice, after: mark, until: soon)
    await waiting(notifier, 1)
    notifier.expireWaits(now: .now)
    #expect(notifier.state.withLock { $0.deadlines.count } == 1)
    notifier.expireWaits(now: soon)
    #expect(await last == .timedOut)
  }
}

extension Notifier {
  fileprivate func wait(_ user: UserID, after mark: Mark, until deadline: ContinuousClock.Instant) async -> Outcome {
    await withCheckedContinuation { continuation in
      _ = wait(user, after: mark, until: deadline) { continuation.resume(returning: $0) }
    }
  }
}
