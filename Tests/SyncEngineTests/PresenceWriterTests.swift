import MatrixPrimitives
import Stores
import Testing

@testable import SyncEngine

@Suite struct PresenceWriterTests {
  private let alice = SyncFixture.alice.userID

  @Test func aClockThatIsSetBackKeepsNobodyOnline() async throws {
    let clock = ServerClock.test()
    let server = try await SyncFixture(clock: clock)
    let writer = PresenceWriter(store: server.users.presence, rules: PresenceRules(), clock: clock)
    try await writer.setState(alice, device: "A", to: .online, statusMessage: nil, force: false, isSync: true)
    try await writer.checkTimeouts()
    clock.advance(milliseconds: -3_600_000)
    try await writer.checkTimeouts()
    #expect(try await server.users.presence.states(of: [alice])[alice]?.state == .online)
    clock.advance(milliseconds: 60_000)
    try await writer.checkTimeouts()
    #expect(try await server.users.presence.states(of: [alice])[alice]?.state == .offline)
  }

  @Test func aProcessThatFallsSilentIsForgottenWhateverTheClockSays() async throws {
    let clock = ServerClock.test()
    let server = try await SyncFixture(clock: clock)
    let writer = PresenceWriter(store: server.users.presence, rules: PresenceRules(), clock: clock)
    try await writer.setState(alice, device: "A", to: .online, statusMessage: nil, force: false, isSync: true)
    let now = clock.nowMilliseconds
    try await writer.syncReported(by: "worker1", alice, device: "A", isSyncing: true, at: now)
    try await writer.checkTimeouts()
    clock.advance(milliseconds: -3_600_000)
    clock.advance(milliseconds: 200_000)
    try await writer.checkTimeouts()
    #expect(try await server.users.presence.states(of: [alice])[alice]?.state != .offline)
    clock.advance(milliseconds: 200_000)
    try await writer.checkTimeouts()
    #expect(try await server.users.presence.states(of: [alice])[alice]?.state == .offline)
  }
}
