import Logging
import MatrixPrimitives
import Replication
import ServerConfig
import Stores
import Synchronization

/// The record of which token was last used from where.
///
/// Each (user, token, address) is recorded once in two minutes. The process with the background duty writes the rows,
/// collected over some seconds; every other process sends `USER_IP` to it (Synapse's protocol, so either may be theirs).
public final class ClientActivity: Sendable {
  private struct Key: Hashable {
    let user: UserID
    let token: Text
    let ip: Text
  }

  private struct State {
    /// The time at which each use was last recorded, by the monotonic clock.
    var seen: [Key: Int64] = [:]
    var waiting: [Key: ClientUse] = [:]
  }

  static let granularityMilliseconds: Int64 = 120_000
  static let maximumEntries = 50_000

  private let config: HomeserverConfig
  private let store: ClientIPStore
  private let hub: StreamHub
  private let clock: ServerClock
  private let logger: Logger
  /// Whether this process has the background duty.
  let writesHere: Bool
  private let state = Mutex(State())

  init(config: HomeserverConfig, store: ClientIPStore, hub: StreamHub, clock: ServerClock, logger: Logger) {
    self.config = config
    self.store = store
    self.hub = hub
    self.clock = clock
    self.logger = logger
    writesHere = config.duties.runsBackgroundTasks
    guard writesHere else { return }
    hub.onCommand { [weak self] command in
      guard case .userIP(let use) = command else { return }
      self?.receive(use)
    }
  }

  /// Notes that a token was used. Costs a dictionary lookup most of the time.
  func record(user: UserID, token: Text, deviceID: Text?, ip: Text, userAgent: Text) {
    let now = clock.monotonicMilliseconds
    let key = Key(user: user, token: token, ip: ip)
    let isKnown = state.withLock { state in
      state.seen[key].map { now - $0 < Self.granularityMilliseconds } ?? false
    }
    if isKnown { return }
    let use = ClientUse(
      user: user, token: token, ip: ip, userAgent: userAgent.utf8Prefix(500), deviceID: deviceID,
      lastSeenMilliseconds: clock.nowMilliseconds)
    let isNew = state.withLock { state in
      if let last = state.seen[key], now - last < Self.granularityMilliseconds { return false }
      if state.seen.count >= Self.maximumEntries {
        state.seen = state.seen.filter { now - $0.value < Self.granularityMilliseconds }
        if state.seen.count >= Self.maximumEntries { state.seen.removeAll() }
      }
      state.seen[key] = now
      if writesHere { enqueue(use, key, &state) }
      return true
    }
    if isNew && !writesHere {
      hub.send(
        .userIP(
          ReplicationCommand.UserIPReport(
            userID: user.rawValue, accessToken: token, ip: ip, userAgent: use.userAgent, deviceID: deviceID,
            lastSeenMilliseconds: use.lastSeenMilliseconds)))
    }
  }

  /// Returns the latest use of a device that is not stored yet. Only the process with the background duty has any.
  public func latestUse(of deviceID: Text, user: UserID) -> ClientUse? {
    state.withLock { state in
      state.waiting.values.filter { $0.user == user && $0.deviceID == deviceID }
        .max { $0.lastSeenMilliseconds < $1.lastSeenMilliseconds }
    }
  }

  /// Lists the uses of an account that are not stored yet. Only the process with the background duty has any.
  func waitingUses(of user: UserID) -> [ClientUse] {
    state.withLock { state in state.waiting.values.filter { $0.user == user } }
  }

  /// Writes what was collected until cancelled, then once more. A service of the process with the background duty.
  public func run() async {
    guard writesHere else { return }
    while !Task.isCancelled {
      try? await Beat.wait(seconds: 5)  // cancelled: the loop ends and what waits is written below
      if !Task.isCancelled { await flush() }
    }
    // In a task of its own, since the database refuses work of one that is cancelled.
    await Task { await flush() }.value
  }

  /// Writes what was collected so far.
  public func flush() async {
    let uses = state.withLock { state in
      let uses = Array(state.waiting.values)
      state.waiting.removeAll()
      return uses
    }
    do {
      try await store.record(uses)
    } catch {
      logger.warning("Could not record the last use of \(uses.count) tokens: \(error)")
    }
  }

  /// Deletes what is older than `user_ips_max_age`.
  public func prune() async throws {
    guard let age = config.limits.userIPsMaximumAgeMilliseconds else { return }
    try await store.prune(lastSeenBefore: clock.nowMilliseconds - age)
  }

  private func receive(_ command: ReplicationCommand.UserIPReport) {
    let user = UserID(unchecked: command.userID)
    let use = ClientUse(
      user: user, token: command.accessToken, ip: command.ip, userAgent: command.userAgent, deviceID: command.deviceID,
      lastSeenMilliseconds: command.lastSeenMilliseconds)
    state.withLock { enqueue(use, Key(user: user, token: command.accessToken, ip: command.ip), &$0) }
  }

  private func enqueue(_ use: ClientUse, _ key: Key, _ state: inout State) {
    guard state.waiting.count < Self.maximumEntries || state.waiting[key] != nil else { return }
    state.waiting[key] = use
  }
}
