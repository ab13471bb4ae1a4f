import MatrixPrimitives
import Postgres
import StorageEngine

/// A device of a local user.
public struct Device: Sendable {
  /// The device's id; unique for its user.
  public let deviceID: Text
  /// The name that the user gave it.
  public let displayName: Text?
  /// The time of its last use, since 1970.
  public let lastSeenMilliseconds: Int64?
  /// From which address it was last used.
  public let lastSeenIP: Text?
  /// With which client it was last used.
  public let lastSeenUserAgent: Text?
}

/// The table `devices` and, on a writer of the `device_lists` stream, what informs others of a change.
public final class DeviceStore: Sendable {
  private let database: PostgresClient
  private let invalidator: CacheInvalidator
  private let deviceListIDs: StreamIDGenerator
  private let instanceName: Text

  init(_ context: StoreContext) {
    database = context.database
    invalidator = context.invalidator
    deviceListIDs = context.ids[.deviceLists]
    instanceName = context.hub.instanceName
  }

  /// Lists a user's devices; reserved entries, such as cross-signing keys, are left out.
  public func devices(of user: UserID) async throws -> [Device] {
    try await database.run(
      """
      SELECT device_id, display_name, last_seen, ip, user_agent FROM devices
      WHERE user_id = \(user.rawValue) AND NOT hidden ORDER BY device_id
      """
    ).map(Self.decode)
  }

  /// Reads one device; nil when it is not there or reserved.
  public func device(_ deviceID: Text, of user: UserID) async throws -> Device? {
    try await database.run(
      """
      SELECT device_id, display_name, last_seen, ip, user_agent FROM devices
      WHERE user_id = \(user.rawValue) AND device_id = \(deviceID) AND NOT hidden
      """
    ).first.map(Self.decode)
  }

  /// Makes sure that a device exists, within the transaction that opens its session.
  ///
  /// - Parameter displayName: the name of a new device; an existing one keeps its own.
  /// - Returns: whether the device is new.
  /// - Throws: `MatrixError` 400 `M_FORBIDDEN` when the ID is reserved, as a cross-signing key's is.
  func add(_ deviceID: Text, of user: UserID, displayName: Text?, in txn: Transaction) throws -> Bool {
    let inserted = try txn.query(
      """
      INSERT INTO devices (user_id, device_id, display_name, hidden)
      VALUES (\(user.rawValue), \(deviceID), \(displayName), false)
      ON CONFLICT (user_id, device_id) DO NOTHING RETURNING 1
      """)
    guard inserted.isEmpty else {
      try invalidator.enqueue([CacheInvalidation("get_device", [user.rawValue, deviceID])], in: txn)
      return true
    }
    let visible = try txn.query(
      "SELECT 1 FROM devices WHERE user_id = \(user.rawValue) AND device_id = \(deviceID) AND NOT hidden")
    if visible.isEmpty {
      throw MatrixError(.forbidden, "The device ID is in use", status: 400)
    }
    return false
  }

  /// Notes the provider's session by which a device was logged in, so that the provider can end it.
  func note(_ provider: AuthProviderSession, _ deviceID: Text, of user: UserID, in txn: Transaction) {
    txn.enqueue(
      "DELETE FROM device_auth_providers WHERE user_id = \(user.rawValue) AND device_id = \(deviceID)")
    txn.enqueue(
      """
      INSERT INTO device_auth_providers (user_id, device_id, auth_provider_id, auth_provider_session_id)
      VALUES (\(user.rawValue), \(deviceID), \(provider.providerID), \(provider.sessionID))
      """)
  }

  /// Lists the IDs of a user's devices within a transaction; reserved entries are left out.
  func ids(of user: UserID, in txn: Transaction) throws -> [Text] {
    try txn.query("SELECT device_id FROM devices WHERE user_id = \(user.rawValue) AND NOT hidden").map {
      try $0.get(0, as: Text.self)
    }
  }

  /// Lists devices of local users that were last used before a time, those that were never used left out.
  ///
  /// - Parameters:
  ///   - milliseconds: the time since 1970.
  ///   - limit: the greatest number of devices.
  public func unused(
    since milliseconds: Int64, serverName: Text, limit: Int
  ) async throws -> [UserID: [Text]] {
    let rows = try await database.run(
      """
      SELECT user_id, device_id FROM devices
      WHERE last_seen < \(milliseconds) AND NOT hidden AND user_id LIKE \(LikePattern(wildcards: "*:\(serverName)").text)
      ORDER BY last_seen LIMIT \(Int64(limit))::bigint
      """)
    var devices: [UserID: [Text]] = [:]
    for row in rows { devices[UserID(unchecked: try row.get(0)), default: []].append(try row.get(1)) }
    return devices
  }

  /// Renames a device.
  ///
  /// - Returns: false when there is no such device.
  public func rename(_ deviceID: Text, of user: UserID, to name: Text) async throws -> Bool {
    try await database.transaction("update_device") { txn in
      let changed = try txn.execute(
        """
        UPDATE devices SET display_name = \(name)
        WHERE user_id = \(user.rawValue) AND device_id = \(deviceID) AND NOT hidden
        """)
      guard changed > 0 else { return false }
      try self.invalidator.enqueue([CacheInvalidation("get_device", [user.rawValue, deviceID])], in: txn)
      return true
    }
  }

  /// Deletes devices with their keys and undelivered messages, within the transaction that ends their sessions.
  func remove(_ devices: [Text], of user: UserID, in txn: Transaction) throws {
    guard !devices.isEmpty else { return }
    let filter: SQL = " WHERE user_id = \(user.rawValue) AND device_id = ANY(\(devices)::text[])"
    txn.enqueue("DELETE FROM devices" + filter + " AND NOT hidden")
    txn.enqueue("DELETE FROM device_auth_providers" + filter)
    txn.enqueue("DELETE FROM e2e_device_keys_json" + filter)
    txn.enqueue("DELETE FROM e2e_one_time_keys_json" + filter)
    txn.enqueue("DELETE FROM e2e_fallback_keys_json" + filter)
    txn.enqueue("DELETE FROM dehydrated_devices" + filter)
    txn.enqueue("DELETE FROM device_inbox" + filter)
    try invalidator.enqueue(
      ["get_device", "count_e2e_one_time_keys", "get_e2e_unused_fallback_key_types"].map {
        CacheInvalidation($0, [user.rawValue])
      }, in: txn)
  }

  /// Notes on the `device_lists` stream that devices of a user changed. Writers of that stream only.
  ///
  /// Rows of `device_lists_changes_in_room` are the input from which the first writer works out which remote servers
  /// must be informed (observed in Synapse's database after a login).
  /// - Parameters:
  ///   - rooms: the rooms that the user is joined to.
  ///   - nowMilliseconds: the time since 1970.
  ///   - committed: gets the last stream id once the rows are stored and before the position passes them: what is published
  ///     here reaches every process that learns of the position.
  public func recordChange(
    of devices: [Text], user: UserID, rooms: [RoomID], nowMilliseconds: Int64,
    committed: @escaping @Sendable (Int64) -> Void
  ) async throws {
    guard !devices.isEmpty else { return }
    let instance = instanceName
    try await deviceListIDs.withIDs(devices.count) { ids in
      try await self.database.transaction("add_device_change_to_stream") { txn in
        // A look at devices that may not have changed after all does no harm.
        if let last = ids.last { txn.afterCommit(orUnknown: true) { committed(last) } }
        // Only the latest change of a device matters to readers of the stream.
        txn.enqueue(
          """
          DELETE FROM device_lists_stream
          WHERE user_id = \(user.rawValue) AND device_id = ANY(\(devices)::text[]) AND stream_id < \(ids.min() ?? 0)::bigint
          """)
        txn.enqueue(
          """
          INSERT INTO device_lists_stream (user_id, device_id, stream_id, instance_name)
          SELECT \(user.rawValue), change.device_id, change.stream_id, \(instance)
          FROM unnest(\(devices)::text[], \(ids)::bigint[]) AS change(device_id, stream_id)
          """)
        guard !rooms.isEmpty else { return }
        txn.enqueue(
          """
          INSERT INTO device_lists_changes_in_room
            (user_id, device_id, room_id, stream_id, instance_name, converted_to_destinations, opentracing_context,
             inserted_ts)
          SELECT \(user.rawValue), change.device_id, room.room_id, change.stream_id, \(instance), false, '{}',
                 \(nowMilliseconds)
          FROM unnest(\(devices)::text[], \(ids)::bigint[]) AS change(device_id, stream_id)
          CROSS JOIN unnest(\(rooms.map(\.rawValue))::text[]) AS room(room_id)
          """)
      }
    }
  }

  /// Notes on the `device_lists` stream that a user signed other users' keys, which only the user's own devices learn of. Writers of that
  /// stream only.
  ///
  /// - Parameter committed: as in ``recordChange(of:user:rooms:nowMilliseconds:committed:)``.
  public func recordSignatures(
    by user: UserID, of others: [UserID], committed: @escaping @Sendable (Int64) -> Void
  ) async throws {
    let instance = instanceName
    let list = JSON.array(others.map { .string($0.rawValue) }).encoded
    try await deviceListIDs.withIDs(1) { ids in
      guard let id = ids.first else { return }
      try await self.database.transaction("add_user_sig_change_to_streams") { txn in
        txn.afterCommit(orUnknown: true) { committed(id) }
        txn.enqueue(
          """
          INSERT INTO user_signature_stream (stream_id, from_user_id, user_ids, instance_name)
          VALUES (\(id), \(user.rawValue), \(Text(decoding: list, as: UTF8.self)), \(instance))
          """)
      }
    }
  }

  private static func decode(_ row: PostgresRow) throws -> Device {
    let (id, name, seen, ip, agent) = try row.decode(Text.self, Text?.self, Int64?.self, Text?.self, Text?.self)
    return Device(
      deviceID: id, displayName: name, lastSeenMilliseconds: seen, lastSeenIP: ip, lastSeenUserAgent: agent)
  }
}
