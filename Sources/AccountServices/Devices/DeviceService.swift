import MatrixPrimitives
import Replication
import ServerConfig
import Stores

/// Renames and removes devices, and has the `device_lists` stream tell of it.
public final class DeviceService: Sendable {
  private let config: HomeserverConfig
  private let storage: Storage
  private let hub: StreamHub
  private let replication: ReplicationClient?
  private let clock: ServerClock
  private let writers: [String]
  static let maximumDisplayNameLength = 100

  init(
    config: HomeserverConfig, storage: Storage, hub: StreamHub, replication: ReplicationClient?, clock: ServerClock
  ) {
    self.config = config
    self.storage = storage
    self.hub = hub
    self.replication = replication
    self.clock = clock
    writers = config.streamWriters[StreamName.deviceLists.rawValue]
  }

  /// Refuses a display name that is too long for other servers.
  static func check(displayName: String?) throws(MatrixError) {
    if let displayName, displayName.unicodeScalars.count > maximumDisplayNameLength {
      throw .custom(
        status: 400, errcode: "M_TOO_LARGE",
        message: "Device display name is too long (max \(maximumDisplayNameLength))", extras: [:])
    }
  }

  /// Renames a device.
  ///
  /// - Throws: `MatrixError` 404 when the user has no such device.
  public func rename(_ deviceID: String, of user: UserID, to name: String) async throws {
    try Self.check(displayName: name)
    guard try await storage.devices.rename(deviceID, of: user, to: name) else {
      throw MatrixError.notFound("No device found")
    }
    try await changed([deviceID], of: user)
  }

  /// Removes devices and ends their sessions. Unknown IDs are passed over.
  public func delete(_ deviceIDs: [String], of user: UserID) async throws {
    guard !deviceIDs.isEmpty else { return }
    try await storage.sessions.end(deviceIDs, of: user)
    try await changed(deviceIDs, of: user)
  }

  /// Tells the cluster that devices of a user changed: here when this process writes the stream, else over HTTP.
  public func changed(_ deviceIDs: [String], of user: UserID) async throws {
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
  public func recordChange(_ deviceIDs: [String], of user: UserID) async throws {
    let rooms = try await storage.memberships.rooms(for: user, memberships: [.join]).map(\.roomID)
    try await storage.devices.recordChange(
      of: deviceIDs, user: user, rooms: rooms, nowMilliseconds: clock.nowMilliseconds
    ) { [storage, hub] token in
      storage.sync.noteDeviceList(of: user, isSignature: false, at: token)
      hub.publish(
        .deviceLists, token: token,
        rows: [.deviceLists(DeviceListRow(userID: user, isSignature: false, areHostsCalculated: false))])
    }
    hub.wake(.deviceLists)
  }
}
