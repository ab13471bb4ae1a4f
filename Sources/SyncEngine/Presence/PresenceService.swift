import Logging
import MatrixPrimitives
import Replication
import RoomServices
import Stores
import Synchronization

/// The record of what users do and of who syncs, on any process: the presence writer decides itself, other processes
/// inform it.
public final class PresenceService: Sendable {
  private struct Device: Hashable, Sendable {
    let user: UserID
    let device: Text?
  }

  /// The end of a device's last sync.
  private struct Departure: Sendable {
    /// In milliseconds since 1970, for the writer.
    let time: Int64
    /// By the monotonic clock.
    let moment: Int64
  }

  private struct Follower: Sendable {
    var syncs: [Device: Int] = [:]
    var goingOffline: [Device: Departure] = [:]
    var lastSent: [Device: (state: Text, time: Int64)] = [:]
  }

  /// The time a device may stay away before the writer hears that it stopped syncing, in milliseconds (as Synapse).
  private static let offlineDelay: Int64 = 10_000
  /// The longest status message, in bytes: it goes to everybody who shares a room.
  static let longestStatusMessage = 4_096

  private let store: PresenceStore
  private let memberships: MembershipStore
  private let barrier: ReadBarrier
  private let hub: StreamHub
  private let router: CallRouter
  private let instanceID: Text
  private let timers: PresenceTimers
  private let clock: ServerClock
  private let logger: Logger
  private let writer: PresenceWriter?
  /// The rooms that do not count for who sees whose presence.
  private let excludedRooms: Set<RoomID>
  private let follower = Mutex(Follower())

  /// Whether presence is shown to clients.
  public let isEnabled: Bool
  /// Whether presence follows what users do (`presence.enabled` true, not `untracked`).
  public let tracksActivity: Bool

  init(
    stores: UserStores, memberships: MembershipStore, router: CallRouter, instanceID: Text, logger: Logger
  ) {
    let (config, clock) = (stores.context.config, stores.context.clock)
    let timers = PresenceTimers(config.presence)
    store = stores.presence
    self.memberships = memberships
    barrier = stores.barrier
    hub = stores.context.hub
    self.router = router
    self.instanceID = instanceID
    isEnabled = config.presence.isEnabled
    excludedRooms = config.rooms.excludedFromPresence
    tracksActivity = config.presence.tracksActivity
    self.timers = timers
    self.clock = clock
    self.logger = logger
    writer =
      isEnabled && router.isHere(.writer(of: .presence))
      ? PresenceWriter(store: store, rules: PresenceRules(timers: timers), clock: clock) : nil
  }

  // MARK: Reading

  /// Returns a user's presence.
  public func state(of user: UserID) async throws -> PresenceState {
    try await barrier.pass(presenceOf: user)
    return try await store.states(of: [user])[user] ?? PresenceState(user: user)
  }

  /// Returns whether one user may see another's presence: they share a room that is not excluded.
  public func isVisible(_ observed: UserID, to observer: UserID) async throws -> Bool {
    for room in try await memberships.rooms(for: observer, memberships: [.join])
    where !excludedRooms.contains(room.roomID) {
      if try await memberships.members(room.roomID)[observed]?.membership == .join { return true }
    }
    return false
  }

  /// Returns a user's presence as another user sees it: nobody but oneself is online where presence is disabled.
  ///
  /// - Throws: `MatrixError` 403 when the two share no room.
  public func state(of user: UserID, seenBy observer: UserID) async throws -> PresenceState {
    guard isEnabled else { return PresenceState(user: user) }
    if user != observer {
      guard try await isVisible(user, to: observer) else {
        throw MatrixError.forbidden("You are not allowed to see their presence.")
      }
    }
    return try await state(of: user)
  }

  // MARK: What users do

  /// Sets the presence that a user asked for, or that came with a sync.
  ///
  /// - Parameters:
  ///   - state: `online`, `unavailable` or `offline`.
  ///   - force: publish although nothing changed.
  /// - Throws: 400 for another state; errors of the presence writer's process.
  public func setState(
    _ user: UserID, device: Text?, state: Text, statusMessage: Text?, force: Bool = false, isSync: Bool = false
  ) async throws {
    guard let availability = PresenceState.Availability(rawValue: state), availability != .busy else {
      throw MatrixError.unknown("Invalid presence state", status: 400)
    }
    guard statusMessage.map({ $0.utf8.count <= Self.longestStatusMessage }) ?? true else {
      throw MatrixError.tooLarge("status_msg is too long (at most \(Self.longestStatusMessage) bytes)")
    }
    guard isEnabled, tracksActivity else { return }
    if let writer {
      return try await writer.setState(
        user, device: device, to: availability, statusMessage: statusMessage, force: force, isSync: isSync)
    }
    guard shouldTell(Device(user: user, device: device), state, isRepeatable: isSync && !force) else { return }
    _ = try await router.ask(
      SetPresence(
        userID: user, deviceID: device, state: state, statusMessage: statusMessage, force: force, isSync: isSync))
  }

  /// Takes note that a user did something; never fails, since the user's own request matters more.
  public func bump(_ user: UserID, device: Text?) async {
    guard isEnabled, tracksActivity else { return }
    do {
      if let writer { return try await writer.bump(user, device: device) }
      guard shouldTell(Device(user: user, device: device), "online", isRepeatable: true) else { return }
      _ = try await router.ask(BumpPresence(userID: user, deviceID: device))
    } catch {
      logger.warning("presence writer was not told of an activity", metadata: ["error": "\(error)"])
    }
  }

  /// The calls by which other processes tell the writer what users do.
  var calls: [ServedCall] {
    [
      ServedCall(SetPresence.self) { call in
        try await self.setState(
          call.userID, device: call.deviceID, state: call.state, statusMessage: call.statusMessage, force: call.force,
          isSync: call.isSync)
        return EmptyAnswer()
      },
      ServedCall(BumpPresence.self) { call in
        await self.bump(call.userID, device: call.deviceID)
        return EmptyAnswer()
      },
    ]
  }

  /// Returns whether the writer must be informed of this; the same news is not repeated for some seconds.
  private func shouldTell(_ device: Device, _ state: Text, isRepeatable: Bool) -> Bool {
    let now = clock.monotonicMilliseconds
    let interval = min(timers.syncOnlineTimeout, timers.lastActiveGranularity) * 5 / 6
    return follower.withLock { follower in
      if isRepeatable, let last = follower.lastSent[device], last.state == state, now - last.time < interval {
        return false
      }
      follower.lastSent[device] = (state, now)
      return true
    }
  }

  // MARK: Who syncs

  /// Notes that a sync request of a device begins, which keeps the device online until it ends.
  ///
  /// - Parameter state: `set_presence` of the request; `offline` leaves presence alone.
  /// - Returns: whether it was noted; then ``endSync(_:device:)`` has to follow.
  public func beginSync(_ user: UserID, device: Text?, state: Text) async -> Bool {
    guard isEnabled, tracksActivity, state != "offline" else { return false }
    await began(user, device, state)
    return true
  }

  /// Notes that a sync request has ended.
  public func endSync(_ user: UserID, device: Text?) async {
    if let writer {
      do { try await writer.syncEnded(user, device: device) } catch {
        logger.warning("presence after a sync was not updated", metadata: ["error": "\(error)"])
      }
      return
    }
    let key = Device(user: user, device: device)
    let departure = Departure(time: clock.nowMilliseconds, moment: clock.monotonicMilliseconds)
    follower.withLock { follower in
      let left = (follower.syncs[key] ?? 1) - 1
      follower.syncs[key] = left > 0 ? left : nil
      if left <= 0 { follower.goingOffline[key] = departure }
    }
  }

  private func began(_ user: UserID, _ device: Text?, _ state: Text) async {
    do {
      try await setState(user, device: device, state: state, statusMessage: nil, isSync: true)
    } catch {
      logger.warning("presence of a syncing user was not set", metadata: ["error": "\(error)"])
    }
    if let writer { return await writer.syncBegan(user, device: device) }
    let key = Device(user: user, device: device)
    let isNew = follower.withLock { follower in
      follower.syncs[key, default: 0] += 1
      return follower.syncs[key] == 1 && follower.goingOffline.removeValue(forKey: key) == nil
    }
    if isNew { sendSync(key, isSyncing: true, at: clock.nowMilliseconds) }
  }

  private func sendSync(_ device: Device, isSyncing: Bool, at time: Int64) {
    hub.send(
      .userSync(
        instanceID: instanceID, userID: device.user.rawValue, deviceID: device.device, isSyncing: isSyncing,
        lastSyncMilliseconds: time))
  }

  // MARK: Life

  /// Connects the service with the hub, before the hub runs.
  func register() {
    guard isEnabled else { return }
    hub.onConnect { [self] in
      follower.withLock { follower in
        follower.syncs.keys.map { device in
          ReplicationCommand.userSync(
            instanceID: instanceID, userID: device.user.rawValue, deviceID: device.device, isSyncing: true,
            lastSyncMilliseconds: clock.nowMilliseconds)
        }
      }
    }
    guard let writer else { return }
    hub.onCommand { [logger, instanceID] command in
      do {
        switch command {
        case .userSync(let process, let user, let device, let isSyncing, let time) where process != instanceID:
          try await writer.syncReported(
            by: process, UserID(unchecked: user), device: device, isSyncing: isSyncing, at: time)
        case .clearUserSync(let process): try await writer.syncsCleared(of: process)
        default: break
        }
      } catch {
        logger.warning("presence command was not carried out", metadata: ["error": "\(error)"])
      }
    }
  }

  /// Loads what the writer needs.
  func start() async throws { try await writer?.start() }

  /// Does what is due now; to be called every few seconds.
  func tick() async {
    do { try await writer?.checkTimeouts() } catch {
      logger.warning("presence timeouts were not stored", metadata: ["error": "\(error)"])
    }
    let limit = clock.monotonicMilliseconds - Self.offlineDelay
    let gone = follower.withLock { follower in
      let gone = follower.goingOffline.filter { $0.value.moment < limit }
      for device in gone.keys {
        follower.goingOffline[device] = nil
        follower.lastSent[device] = nil
      }
      return gone
    }
    for (device, departure) in gone { sendSync(device, isSyncing: false, at: departure.time) }
  }

  /// Signs off at the writer, or, as the writer, stores what is not stored yet.
  func stop() async {
    guard isEnabled, tracksActivity else { return }
    guard let writer else { return hub.send(.clearUserSync(instanceID: instanceID)) }
    do { try await writer.storeRemaining() } catch {
      logger.warning("presence was not stored at the end", metadata: ["error": "\(error)"])
    }
  }
}
