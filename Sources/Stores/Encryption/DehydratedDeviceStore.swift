import MatrixPrimitives
import Postgres

/// Devices that users leave behind to receive messages (`dehydrated_devices`), one each.
///
/// Such a device is a device like others, with keys and an inbox, but without a session.
public final class DehydratedDeviceStore: Sendable {
  private let database: PostgresClient
  private let devices: DeviceStore
  private let keys: DeviceKeyStore

  init(_ context: StoreContext, keys: DeviceKeyStore) {
    database = context.database
    devices = DeviceStore(context)
    self.keys = keys
  }

  /// Reads a user's device and what is needed to wake it, as JSON.
  public func device(of user: UserID) async throws -> (deviceID: Text, data: [UInt8])? {
    try await database.run(
      "SELECT device_id, device_data FROM dehydrated_devices WHERE user_id = \(user.rawValue)"
    ).first.map { (try $0.get(0), try $0.get(1, as: SQLText.self).bytes) }
  }

  /// Stores a device with its keys in the place of the one that was there.
  ///
  /// - Parameters:
  ///   - data: JSON.
  ///   - displayName: the name of the device.
  /// - Returns: the devices of which others have to be informed.
  /// - Throws: `MatrixError` 400 when the device is one that is logged in, its ID is reserved, or its keys are too many.
  public func replace(
    with deviceID: Text, data: [UInt8], displayName: Text?, keys rows: DeviceKeyRows, of user: UserID,
    nowMilliseconds: Int64
  ) async throws -> [Text] {
    try await database.transaction("store_dehydrated_device", isolation: .readCommitted) { [self] txn in
      SessionStore.lock(user, in: txn)
      let sessions = try txn.query(
        "SELECT 1 FROM access_tokens WHERE user_id = \(user.rawValue) AND device_id = \(deviceID) LIMIT 1")
      // Whoever wakes the device deletes it, and would end the session.
      guard sessions.isEmpty else { throw MatrixError.invalidParam("The device is logged in") }
      let earlier = try remove(of: user, in: txn)
      _ = try devices.add(deviceID, of: user, displayName: displayName, in: txn)
      let outcome = try keys.store(rows, of: user, device: deviceID, nowMilliseconds: nowMilliseconds, in: txn)
      if let refusal = outcome.refusal { throw refusal }
      txn.enqueue(
        """
        INSERT INTO dehydrated_devices (user_id, device_id, device_data)
        VALUES (\(user.rawValue), \(deviceID), \(SQLText(bytes: data)))
        ON CONFLICT (user_id) DO UPDATE SET device_id = excluded.device_id, device_data = excluded.device_data
        """)
      return earlier.filter { $0 != deviceID } + [deviceID]
    }
  }

  /// Deletes a user's device with its keys and messages.
  ///
  /// - Returns: the device; nil when there was none.
  public func remove(of user: UserID) async throws -> Text? {
    try await database.transaction("remove_dehydrated_device", isolation: .readCommitted) { [self] txn in
      SessionStore.lock(user, in: txn)
      return try remove(of: user, in: txn).first
    }
  }

  private func remove(of user: UserID, in txn: Transaction) throws -> [Text] {
    let removed = try txn.query("DELETE FROM dehydrated_devices WHERE user_id = \(user.rawValue) RETURNING device_id")
      .map { try $0.get(0, as: Text.self) }
    try devices.remove(removed, of: user, in: txn)
    return removed
  }
}
