import MatrixPrimitives
import Testing

@testable import SyncEngine

@Suite struct PresenceChecksTests {
  let alice = UserID(unchecked: "@alice:test")
  let bob = UserID(unchecked: "@bob:test")

  @Test func checksAreDueAtTheirTimeOrSoonAfter() {
    var checks = PresenceChecks(timers: PresenceTimers())
    checks.insert(alice, at: 100_001)
    checks.insert(bob, at: 130_000)
    #expect(checks.takeDue(now: 100_001).isEmpty)
    #expect(checks.takeDue(now: 105_001) == [alice])
    #expect(checks.takeDue(now: 129_999).isEmpty)
    #expect(checks.takeDue(now: 135_000) == [bob])
    #expect(checks.takeDue(now: .max).isEmpty && checks.count == 0)
  }

  @Test func aBusyUserLeavesFewChecks() {
    var checks = PresenceChecks(timers: PresenceTimers())
    for time in Int64(0)..<60_000 { checks.insert(alice, at: 1_000_000 + time) }
    #expect(checks.count <= 13)
  }

  @Test func shortTimersAreKeptExactly() {
    var timers = PresenceTimers()
    timers.syncOnlineTimeout = 60
    var checks = PresenceChecks(timers: timers)
    checks.insert(alice, at: 1000)
    #expect(checks.takeDue(now: 1010) == [alice])
    timers.syncOnlineTimeout = 0
    checks = PresenceChecks(timers: timers)
    checks.insert(alice, at: .max)
    checks.insert(alice, at: 5)
    #expect(checks.count == 1 && checks.takeDue(now: 6) == [alice])
  }
}
