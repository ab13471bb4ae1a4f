import MatrixPrimitives
import Stores

/// The presence of this server's users, decided on the one process that writes the `presence` stream.
///
/// Keeps the devices of users who are not offline, and which of them sync where; everything else is in the database. Other processes
/// report syncs by USER_SYNC, and are forgotten after five minutes of silence.
actor PresenceWriter {
  struct Device: Hashable, Sendable {
    let user: UserID
    let device: Text?
  }

  private static let processExpiry: Int64 = 5 * 60_000

  private let store: PresenceStore
  private let rules: PresenceRules
  private let clock: ServerClock

  private var states: [UserID: PresenceState] = [:]
  private var devices: [UserID: [Text?: DevicePresence]] = [:]
  private var localSyncs: [Device: Int] = [:]
  private var remoteSyncs: [Text: Set<Device>] = [:]
  private var remoteLastSeen: [Text: Int64] = [:]
  private var checks: PresenceChecks
  private var unstored: Set<UserID> = []
  /// The time at which users were last looked at, by the clock that administrators set.
  private var lastLook = Int64.min

  init(store: PresenceStore, rules: PresenceRules, clock: ServerClock) {
    self.store = store
    self.rules = rules
    self.clock = clock
    checks = PresenceChecks(timers: rules.timers)
  }

  /// Takes up what an earlier life of the process left behind: users it did not mark as offline are checked as soon as they would
  /// time out.
  func start() async throws {
    let now = clock.nowMilliseconds
    for state in try await store.active() {
      states[state.user] = state
      devices[state.user] = [
        nil: DevicePresence(state: state.state, lastActiveTS: state.lastActiveTS, lastSyncTS: state.lastUserSyncTS)
      ]
      checks.insert(state.user, at: now + rules.timers.syncOnlineTimeout)
    }
  }

  // MARK: What users do

  /// Sets a device's state, by request of its user or because it syncs.
  ///
  /// - Parameters:
  ///   - statusMessage: what the user says; ignored for syncs.
  ///   - force: publish although nothing changed.
  ///   - isSync: the state came with a sync: it does not end `busy`.
  func setState(
    _ user: UserID, device: Text?, to availability: PresenceState.Availability, statusMessage: Text?, force: Bool,
    isSync: Bool
  ) async throws {
    let now = clock.nowMilliseconds
    let old = try await state(of: user)
    let wanted = isSync && old.state == .busy ? .busy : availability
    var own = devices[user]?[device] ?? DevicePresence()
    own.state = wanted
    own.lastActiveTS = now
    if isSync { own.lastSyncTS = now }
    devices[user, default: [:]][device] = own
    var new = old
    new.state = DevicePresence.combined(devices[user, default: [:]].values)
    if new.state == .online || new.state == .busy { new.lastActiveTS = now }
    if isSync { new.lastUserSyncTS = now } else { new.statusMessage = statusMessage }
    try await update([new], force: force)
  }

  /// Takes note that a user did something.
  func bump(_ user: UserID, device: Text?) async throws {
    let now = clock.nowMilliseconds
    var own = devices[user]?[device] ?? DevicePresence()
    own.lastActiveTS = now
    if own.state == .unavailable { own.state = .online }
    devices[user, default: [:]][device] = own
    var new = try await state(of: user)
    new.lastActiveTS = now
    new.state = DevicePresence.combined(devices[user, default: [:]].values)
    try await update([new])
  }

  // MARK: Who syncs

  /// Takes note that a device begins a sync request here.
  func syncBegan(_ user: UserID, device: Text?) { localSyncs[Device(user: user, device: device), default: 0] += 1 }

  /// Takes note that a sync request here ended.
  func syncEnded(_ user: UserID, device: Text?) async throws {
    let key = Device(user: user, device: device)
    let left = (localSyncs[key] ?? 1) - 1
    localSyncs[key] = left > 0 ? left : nil
    try await noteSync(user, device, at: clock.nowMilliseconds)
  }

  /// Takes note of a USER_SYNC command of another process.
  func syncReported(by process: Text, _ user: UserID, device: Text?, isSyncing: Bool, at time: Int64) async throws {
    remoteLastSeen[process] = clock.monotonicMilliseconds
    let key = Device(user: user, device: device)
    if isSyncing {
      remoteSyncs[process, default: []].insert(key)
    } else if remoteSyncs[process]?.remove(key) != nil {
      try await noteSync(user, device, at: time)
    }
  }

  /// Forgets all syncs of a process that stopped.
  func syncsCleared(of process: Text) async throws {
    remoteLastSeen[process] = nil
    let now = clock.nowMilliseconds
    for key in remoteSyncs.removeValue(forKey: process) ?? [] { try await noteSync(key.user, key.device, at: now) }
  }

  private func noteSync(_ user: UserID, _ device: Text?, at time: Int64) async throws {
    devices[user]?[device]?.lastSyncTS = time
    var new = try await state(of: user)
    new.lastUserSyncTS = time
    try await update([new])
  }

  // MARK: Time

  /// Looks at the users whose time has come.
  func checkTimeouts() async throws {
    let now = clock.nowMilliseconds
    if now < lastLook { forgetTimes(after: now) }
    lastLook = now
    var due = checks.takeDue(now: now)
    let steady = clock.monotonicMilliseconds
    for (process, seen) in remoteLastSeen where steady - seen > Self.processExpiry {
      due.formUnion((remoteSyncs.removeValue(forKey: process) ?? []).map(\.user))
      remoteLastSeen[process] = nil
    }
    var changed: [PresenceState] = []
    for user in due {
      guard let state = states[user] else { continue }
      var own = devices[user] ?? [:]
      let isSyncing = { (device: Text?) in self.isSyncing(Device(user: user, device: device)) }
      if let new = rules.timeout(state, devices: &own, isSyncing: isSyncing, now: now) { changed.append(new) }
      devices[user] = own.isEmpty ? nil : own
    }
    if !changed.isEmpty { try await update(changed) }
  }

  /// Takes back what lies in the future since the clock was set back, and what was to be checked then: no user may seem active until the clock
  /// gets there again. The times are those of the database, so that they cannot be counted by another clock.
  private func forgetTimes(after now: Int64) {
    checks = PresenceChecks(timers: rules.timers)
    for (user, var state) in states {
      state.lastActiveTS = min(state.lastActiveTS, now)
      state.lastUserSyncTS = min(state.lastUserSyncTS, now)
      states[user] = state
      for device in (devices[user] ?? [:]).keys {
        devices[user]?[device]?.takeBack(to: now)
      }
      checks.insert(user, at: now)
    }
  }

  /// Stores the states that changed too little to be published, before the process ends.
  func storeRemaining() async throws {
    let remaining = unstored.compactMap { states[$0] }
    unstored.removeAll()
    try await publish(remaining)
  }

  private func isSyncing(_ device: Device) -> Bool {
    localSyncs[device] != nil || remoteSyncs.values.contains { $0.contains(device) }
  }

  // MARK: Updating

  private func state(of user: UserID) async throws -> PresenceState {
    if let state = states[user] { return state }
    return try await store.states(of: [user])[user] ?? PresenceState(user: user)
  }

  private func update(_ new: [PresenceState], force: Bool = false) async throws {
    let now = clock.nowMilliseconds
    var news: [PresenceState] = []
    for state in new {
      let old = try await self.state(of: state.user)
      let update = rules.update(from: old, to: state, now: now, force: force)
      for time in update.checks { checks.insert(state.user, at: max(time, now)) }
      if update.isNews {
        news.append(update.state)
        unstored.remove(state.user)
      } else if old != update.state {
        unstored.insert(state.user)
      }
      if update.state.state == .offline, update.isNews {
        states[state.user] = nil
        devices[state.user] = devices[state.user].flatMap { $0.isEmpty ? nil : $0 }
      } else {
        states[state.user] = update.state
      }
    }
    try await publish(news)
  }

  private func publish(_ states: [PresenceState]) async throws {
    guard !states.isEmpty else { return }
    try await store.store(states)
  }
}
