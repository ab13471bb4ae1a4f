import MatrixPrimitives
import Stores
import Testing

@testable import SyncEngine

@Suite struct PresenceRulesTests {
  let rules = PresenceRules()
  let user = UserID(unchecked: "@a:test")
  let now: Int64 = 10_000_000

  private func online(activeAgo: Int64 = 0, syncedAgo: Int64 = 0) -> PresenceState {
    PresenceState(
      user: user, state: .online, lastActiveTS: now - activeAgo, lastFederationUpdateTS: now,
      lastUserSyncTS: now - syncedAgo, isCurrentlyActive: true)
  }

  @Test func comingOnlineIsNewsAndIsCheckedLater() {
    let update = rules.update(from: PresenceState(user: user), to: online(), now: now)
    #expect(update.isNews && update.state.isCurrentlyActive)
    #expect(Set(update.checks) == [now + 300_000, now + 60_000, now + 30_000])
  }

  @Test func stayingActiveIsNoNews() {
    #expect(!rules.update(from: online(activeAgo: 1000), to: online(), now: now).isNews)
    #expect(rules.update(from: online(), to: online(), now: now, force: true).isNews)
    var message = online()
    message.statusMessage = "hi"
    #expect(rules.update(from: online(), to: message, now: now).isNews)
  }

  @Test func inactivityEndsBeingCurrentlyActive() throws {
    var devices: [Text?: DevicePresence] = [
      "D": DevicePresence(state: .online, lastActiveTS: now - 61_000, lastSyncTS: now)
    ]
    let state = try #require(
      rules.timeout(online(activeAgo: 61_000), devices: &devices, isSyncing: { _ in true }, now: now))
    let update = rules.update(from: online(activeAgo: 61_000), to: state, now: now)
    #expect(update.isNews && !update.state.isCurrentlyActive && update.state.state == .online)
  }

  @Test func idleDevicesBecomeUnavailableAndSilentOnesOffline() {
    var devices: [Text?: DevicePresence] = [
      "D": DevicePresence(state: .online, lastActiveTS: now - 301_000, lastSyncTS: now)
    ]
    let idle = rules.timeout(online(activeAgo: 301_000), devices: &devices, isSyncing: { _ in true }, now: now)
    #expect(idle?.state == .unavailable)
    let later = now + 31_000
    let gone = rules.timeout(online(activeAgo: 301_000), devices: &devices, isSyncing: { _ in false }, now: later)
    #expect(gone?.state == .offline && devices.isEmpty)
    #expect(rules.timeout(PresenceState(user: user), devices: &devices, isSyncing: { _ in false }, now: later) == nil)
  }

  @Test func theMostAvailableDeviceCounts() {
    let devices = [
      DevicePresence(state: .unavailable, lastActiveTS: 5), DevicePresence(state: .online, lastActiveTS: 1),
    ]
    #expect(DevicePresence.combined(devices) == .online)
    #expect(DevicePresence.combined([]) == .offline)
  }
}
