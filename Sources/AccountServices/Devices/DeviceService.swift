import MatrixPrimitives
import Replication
import ServerConfig
import Stores

/// Renames and removes devices, and has the `device_lists` stream tell of it.
public final class DeviceService: Sendable {
  private let config: HomeserverConfig
  private let stores: AccountStores
  private let memberships: MembershipStore
  private let hub: StreamHub
  private let replication: ReplicationClient?
  private let clock: ServerClock
  private let writers: [Text]
  static let maximumDisplayNameLength = 100

  init(stores: AccountStores, memberships: MembershipStore, replication: ReplicationClient?) {
    config = stores.context.config
    self.stores = stores
    self.memberships = memberships
    hub = stores.context.hub
    self.replication = replication
    clock = stores.context.clock
    writers = config.writers(of: .deviceLists)
  }

  /// Refuses a display name that is too long for other servers.
  static func check(displayName: Text?) throws(MatrixError) {
    if let displayName, displayName.unicodeScalars.count > maximumDisplayNameLength {
      throw MatrixError(
        .tooLarge, "Device display name is too long (max \(maximumDisplayNameLength))", status: 400)
    }
  }

  /// Renames a device.
  ///
  /// - Throws: `MatrixError` 404 when the user has no such device.
  public func rename(_ deviceID: Text, of user: UserID, to name: Text) async throws {
    try Self.check(displayName: name)
    guard try await stores.devices.rename(deviceID, of: user, to: name) else {
      throw MatrixError.notFound("No device found")
    }
    try await changed([deviceID], of: user)
  }

  /// Removes devices and ends their sessions. Unknown IDs are passed over.
  public func delete(_ deviceIDs: [Text], of user: UserID) async throws {
    // What others are told of is bounded by what the user had, not by what the request names.
    try await changed(try await stores.sessions.end(deviceIDs, of: user), of: user)
  }

  /// Tells the cluster that devices of a user changed: here when this process writes the stream, else over HTTP.
  public func changed(_ deviceIDs: [Text], of user: UserID) async throws {
    guard !deviceIDs.isEmpty else { return }
    if writers.contains(config.instanceName) {
      return try await recordChange(deviceIDs, of: user)
    }
    guard let writer = writers.randomElement(), let replication else { return }
    _ = try await replication.call(
      "notify_device_update", arguments: [user.rawValue], instance: writer,
      body: ["device_ids": .array(deviceIDs.map(JSON.string))], cached: false)
  }

  /// Writes a change to the stream and publishes it. Only on a writer of `device_lists`.
  public func recordChange(_ deviceIDs: [Text], of user: UserID) async throws {
    let rooms = try await memberships.rooms(for: user, memberships: [.join]).map(\.roomID)
    try await stores.devices.recordChange(
      of: deviceIDs, user: user, rooms: rooms, nowMilliseconds: clock.nowMilliseconds
    ) { [self] token in publish(user, isSignature: false, token) }
    hub.wake(.deviceLists)
  }

  /// Writes to the stream that a user signed other users' keys, and publishes it. Only on a writer of `device_lists`.
  public func recordSignatures(by user: UserID, of others: [UserID]) async throws {
    try await stores.devices.recordSignatures(by: user, of: others) { [self] token in
      publish(user, isSignature: true, token)
    }
    hub.wake(.deviceLists)
  }

  private func publish(_ user: UserID, isSignature: Bool, _ token: Int64) {
    stores.deviceLists.noteDeviceList(of: user, isSignature: isSignature, at: token)
    hub.publish(
      .deviceLists, token: token,
      rows: [.deviceLists(DeviceListRow(userID: user, isSignature: isSignature, areHostsCalculated: false))])
  }
}
