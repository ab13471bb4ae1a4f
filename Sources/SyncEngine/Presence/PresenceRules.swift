import MatrixPrimitives
import Stores

/// The rules by which presence changes: with an update, and with time. Pure; the same rules as Synapse's presence
/// writer.
struct PresenceRules: Sendable {
  /// What an update leads to.
  struct Update: Sendable {
    /// The state to keep.
    var state: PresenceState
    /// Whether the state is stored and published.
    var isNews: Bool
    /// The times at which to look at the user again, in milliseconds; empty when never.
    var checks: [Int64]
  }

  var timers = PresenceTimers()

  /// Works out what an update of a local user leads to.
  func update(from old: PresenceState, to new: PresenceState, now: Int64, force: Bool = false) -> Update {
    var state = new
    var checks: [Int64] = []
    if state.state == .online {
      checks.append(state.lastActiveTS + timers.idleTimeout)
      state.isCurrentlyActive = now - state.lastActiveTS < timers.lastActiveGranularity
      if state.isCurrentlyActive { checks.append(state.lastActiveTS + timers.lastActiveGranularity) }
    }
    if state.state != .offline {
      checks.append(state.lastUserSyncTS + timers.syncOnlineTimeout)
      if now - state.lastFederationUpdateTS > timers.federationPingInterval { state.lastFederationUpdateTS = now }
    }
    if state.state == .busy { checks.append(state.lastUserSyncTS + timers.busyTimeout) }
    let isNews = force || self.isNews(from: old, to: state)
    if isNews { state.lastFederationUpdateTS = now }
    return Update(state: state, isNews: isNews, checks: checks)
  }

  /// Returns whether a change is announced to others.
  func isNews(from old: PresenceState, to new: PresenceState) -> Bool {
    if old == new { return false }
    if old.statusMessage != new.statusMessage || old.state != new.state { return true }
    let isLaterActive = new.lastActiveTS - old.lastActiveTS > timers.lastActiveGranularity
    guard old.state == .online else { return isLaterActive }
    return old.isCurrentlyActive != new.isCurrentlyActive || (isLaterActive && !new.isCurrentlyActive)
  }

  /// Works out what has become of a user whose check is due.
  ///
  /// - Parameters:
  ///   - state: the user's present state.
  ///   - devices: the user's devices; those that timed out are changed or removed.
  ///   - isSyncing: whether a device has a sync request open.
  ///   - now: the time, in milliseconds.
  /// - Returns: the state to run through ``update(from:to:now:force:)``; nil when nothing changed.
  func timeout(
    _ state: PresenceState, devices: inout [Text?: DevicePresence], isSyncing: (Text?) -> Bool, now: Int64
  ) -> PresenceState? {
    guard state.state != .offline else { return nil }
    var (state, isChanged) = (state, false)
    if expireDevices(&devices, isSyncing: isSyncing, now: now) {
      let combined = DevicePresence.combined(devices.values)
      if combined != state.state {
        state.state = combined
        isChanged = true
      }
    }
    if now - state.lastActiveTS > timers.lastActiveGranularity { isChanged = true }
    if now - state.lastFederationUpdateTS > timers.federationPingInterval { isChanged = true }
    return isChanged ? state : nil
  }

  private func expireDevices(
    _ devices: inout [Text?: DevicePresence], isSyncing: (Text?) -> Bool, now: Int64
  ) -> Bool {
    var isChanged = false
    for (id, device) in devices {
      if device.state == .online, now - device.lastActiveTS > timers.idleTimeout {
        devices[id]?.state = .unavailable
        isChanged = true
      }
      let limit = device.state == .busy ? timers.busyTimeout : timers.syncOnlineTimeout
      if !isSyncing(id), now - max(device.lastSyncTS, device.lastActiveTS) > limit {
        devices[id] = nil
        isChanged = true
      }
    }
    return isChanged
  }
}
