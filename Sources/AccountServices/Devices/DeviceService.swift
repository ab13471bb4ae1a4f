import MatrixPrimitives
import Replication
import Stores

/// Renaming and removing of devices, announced on the `device_lists` stream.
public final class DeviceService: Sendable {
  private let stores: AccountStores
  private let memberships: MembershipStore
  private let hub: StreamHub
  private let router: CallRouter
  private let activity: ClientActivity
  private let pushers: PusherService
  private let clock: ServerClock
  static let maximumDisplayNameLength = 100

  init(
    stores: AccountStores, memberships: MembershipStore, router: CallRouter, activity: ClientActivity,
    pushers: PusherService
  ) {
    self.stores = stores
    self.memberships = memberships
    hub = stores.context.hub
    self.router = router
    self.activity = activity
    self.pushers = pushers
    clock = stores.context.clock
  }

  /// Refuses a display name that is too long for other servers.
  static func check(displayName: Text?) throws(MatrixError) {
    if let displayName, displayName.unicodeScalars.count > maximumDisplayNameLength {
      throw MatrixError(
        .tooLarge, "Device display name is too long (max \(maximumDisplayNameLength))", status: 400)
    }
  }

  /// Lists a user's devices.
  public func list(of user: UserID) async throws -> [DeviceDetails] {
    try await stores.devices.devices(of: user).map { details($0, of: user) }
  }

  /// Reads one device.
  ///
  /// - Throws: `MatrixError` 404 when the user has no such device.
  public func device(_ deviceID: Text, of user: UserID) async throws -> DeviceDetails {
    guard let device = try await stores.devices.device(deviceID, of: user) else { throw Self.notFound }
    return details(device, of: user)
  }

  private func details(_ device: Device, of user: UserID) -> DeviceDetails {
    DeviceDetails(device, latestUse: activity.latestUse(of: device.deviceID, user: user))
  }

  private static let notFound = MatrixError.notFound("No device found")

  /// Renames a device.
  ///
  /// - Parameter name: the new name; nil changes nothing.
  /// - Throws: `MatrixError` 404 when the user has no such device, else 400 for a name that is too long.
  public func rename(_ deviceID: Text, of user: UserID, to name: Text?) async throws {
    guard try await stores.devices.device(deviceID, of: user) != nil else { throw Self.notFound }
    guard let name else { return }
    try Self.check(displayName: name)
    guard try await stores.devices.rename(deviceID, of: user, to: name) else { throw Self.notFound }
    try await changed([deviceID], of: user)
  }

  /// Removes devices and ends their sessions. Unknown IDs are passed over.
  public func delete(_ deviceIDs: [Text], of user: UserID) async throws {
    // What others are informed of is bounded by what the user had, not by what the request names.
    try await ended(try await stores.sessions.end(deviceIDs, of: user), of: user)
  }

  /// Takes away what devices have left that went with their sessions, and announces that they are gone.
  func ended(_ deviceIDs: [Text], of user: UserID) async throws {
    try await pushers.removePushers(of: user, madeBy: deviceIDs)
    try await changed(deviceIDs, of: user)
  }

  /// How many unused devices are removed before others are looked for.
  private static let staleDevicesPerRound = 1_000
  /// How often they are looked for in a day.
  private static let staleRounds = 1_000

  /// Removes the devices that nobody has used for as long as `delete_stale_devices_after` says. For the process with the background duty.
  func deleteStale() async throws {
    guard let age = stores.context.config.sessions.staleDeviceMilliseconds else { return }
    let (then, name) = (clock.nowMilliseconds &- age, stores.context.config.serverName)
    for _ in 0..<Self.staleRounds {
      let unused = try await stores.devices.unused(
        since: then, serverName: name, limit: Self.staleDevicesPerRound)
      for (user, devices) in unused { try await delete(devices, of: user) }
      guard unused.values.reduce(0, { $0 + $1.count }) >= Self.staleDevicesPerRound else { return }
    }
  }

  /// Announces that devices of a user changed: on the stream when this process writes it, else over HTTP.
  public func changed(_ deviceIDs: [Text], of user: UserID) async throws {
    guard !deviceIDs.isEmpty else { return }
    _ = try await router.perform(DevicesChanged(userID: user, deviceIDs: deviceIDs), here: record)
  }

  /// Announces to a user's own devices that the user signed keys of others: on the stream when this process writes it, else over HTTP.
  public func signed(_ others: [UserID], by user: UserID) async throws {
    guard !others.isEmpty else { return }
    _ = try await router.perform(SignaturesChanged(userID: user, others: others), here: record)
  }

  /// The calls by which other processes have a writer of `device_lists` tell of what they changed.
  var calls: [ServedCall] {
    [
      ServedCall(DevicesChanged.self) { try await self.record($0) },
      ServedCall(SignaturesChanged.self) { try await self.record($0) },
      // Other servers are informed by a process of Synapse alone, which finds what waits when it takes over.
      ServedCall(DeviceChangesWaiting.self) { _ in EmptyAnswer() },
    ]
  }

  /// Writes a change to the stream and publishes it. Only on a writer of `device_lists`.
  private func record(_ change: DevicesChanged) async throws -> EmptyAnswer {
    let user = change.userID
    let rooms = try await memberships.rooms(for: user, memberships: [.join]).map(\.roomID)
    try await stores.devices.recordChange(
      of: change.deviceIDs, user: user, rooms: rooms, nowMilliseconds: clock.nowMilliseconds
    ) { [self] token in publish(user, isSignature: false, token) }
    hub.wake(.deviceLists)
    if !rooms.isEmpty { wakeFirstWriter() }
    return EmptyAnswer()
  }

  /// Has the first writer look for changes that other servers must learn of, unless that is this process, which informs none.
  ///
  /// Nobody waits for it, and nothing is lost when it fails: the writer looks at everything it has not looked at.
  private func wakeFirstWriter() {
    guard stores.context.config.writers(of: .deviceLists).first != hub.instanceName else { return }
    Task { [router] in
      _ = try? await router.perform(DeviceChangesWaiting(), here: { _ in EmptyAnswer() })  // see above
    }
  }

  /// Writes to the stream that a user signed other users' keys, and publishes it. Only on a writer of `device_lists`.
  private func record(_ change: SignaturesChanged) async throws -> EmptyAnswer {
    let user = change.userID
    try await stores.devices.recordSignatures(by: user, of: change.others) { [self] token in
      publish(user, isSignature: true, token)
    }
    hub.wake(.deviceLists)
    return EmptyAnswer()
  }

  private func publish(_ user: UserID, isSignature: Bool, _ token: Int64) {
    let row = DeviceListRow(userID: user, isSignature: isSignature, areHostsCalculated: false)
    stores.deviceLists.apply(row, at: token)
    hub.publish(.deviceLists, token: token, rows: [.deviceLists(row)])
  }
}
