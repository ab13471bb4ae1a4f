import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// What others must learn of users' devices: keys that a device has left, changed device lists, signatures.
public final class DeviceListStore: Sendable {
  struct Device: Hashable, Sendable {
    let user: UserID
    let device: Text
  }

  /// What a device has left of the keys that others use up.
  public struct KeyCounts: Sendable {
    /// Number of one-time keys by algorithm; `signed_curve25519` is always there.
    public let oneTimeKeys: [Text: Int]
    /// Algorithms that have an unused fallback key.
    public let unusedFallbackKeys: [Text]
  }

  /// Id generator of the stream `device_lists`.
  public let ids: StreamIDGenerator
  /// The position at which each user's device list last changed.
  public let deviceListChanges: StreamChangeCache
  /// The position at which each user last signed somebody's keys.
  public let signatureChanges: StreamChangeCache

  private let context: StoreContext
  private let database: PostgresClient
  private let keyCounts: Cache<Device, KeyCounts>

  init(_ context: StoreContext) {
    self.context = context
    database = context.database
    ids = context.ids[.deviceLists]
    keyCounts = context.caches.cache("count_e2e_one_time_keys", byteBudget: 8 << 20) { _, _ in 256 }
    deviceListChanges = context.caches.changeCache("DeviceListStreamChangeCache", capacity: 20_000)
    signatureChanges = context.caches.changeCache("UserSignatureStreamChangeCache", capacity: 10_000)
    follow(context)
  }

  private func follow(_ context: StoreContext) {
    context.afterLoad { [ids, deviceListChanges, signatureChanges] in
      deviceListChanges.start(at: ids.currentToken)
      signatureChanges.start(at: ids.currentToken)
    }
    context.follow(.deviceLists, for: self) { store, batches in
      for batch in batches {
        for case .deviceLists(let row) in batch.rows where !row.areHostsCalculated {
          store.noteDeviceList(of: row.userID, isSignature: row.isSignature, at: batch.token)
        }
      }
    }
    for function in ["count_e2e_one_time_keys", "get_e2e_unused_fallback_key_types"] {
      context.caches.register(function) { [keyCounts] keys in
        guard let keys, let user = keys.first, keys.count >= 2 else { return keyCounts.invalidateAll() }
        keyCounts.invalidate(Device(user: UserID(unchecked: user), device: keys[1]))
      }
    }
  }

  /// Returns the keys left of a device.
  public func keyCounts(of user: UserID, device: Text) async throws -> KeyCounts {
    let database = self.database
    return try await keyCounts.value(Device(user: user, device: device)) {
      let rows = try await database.run(
        """
        SELECT algorithm, COUNT(key_id), true FROM e2e_one_time_keys_json
        WHERE user_id = \(user.rawValue) AND device_id = \(device) GROUP BY algorithm
        UNION ALL
        SELECT algorithm, 0, false FROM e2e_fallback_keys_json
        WHERE user_id = \(user.rawValue) AND device_id = \(device) AND NOT used
        """)
      var (counts, unused) = (["signed_curve25519": 0], [Text]())
      for row in rows {
        let (algorithm, count, isOneTime) = try row.decode(Text.self, Int.self, Bool.self)
        if isOneTime { counts[algorithm] = count } else { unused.append(algorithm) }
      }
      return KeyCounts(oneTimeKeys: counts, unusedFallbackKeys: unused)
    }
  }

  /// Has all that this process remembers of devices follow a row that it has committed, before the position advances.
  public func apply(_ row: DeviceListRow, at token: Int64) {
    let batch = StreamBatch(
      stream: .deviceLists, instanceName: context.hub.instanceName, token: token, rows: [.deviceLists(row)])
    context.applyCommitted([batch], of: .deviceLists)
  }

  /// Takes note of a row of the `device_lists` stream before the position advances.
  public func noteDeviceList(of user: UserID, isSignature: Bool, at token: Int64) {
    (isSignature ? signatureChanges : deviceListChanges).entityChanged(user.rawValue, at: token)
  }

  /// Returns the users whose device lists changed between two positions, in any room; from memory when it reaches back so far.
  public func usersWithChangedDevices(after from: MultiWriterToken, upTo: MultiWriterToken) async throws -> Set<UserID>
  {
    if let known = deviceListChanges.allChanged(since: from.stream) { return Set(known.map { UserID(unchecked: $0) }) }
    let rows = try await database.run(
      """
      SELECT DISTINCT user_id FROM device_lists_stream
      WHERE stream_id > \(from.stream)::bigint AND stream_id <= \(upTo.maximum)::bigint
      """)
    return Set(try rows.map { UserID(unchecked: try $0.get(0)) })
  }

  /// Returns the users whose keys `user` signed between two positions.
  public func usersSigned(by user: UserID, after from: MultiWriterToken, upTo: MultiWriterToken) async throws -> Set<
    UserID
  > {
    guard signatureChanges.hasChanged(user.rawValue, since: from.stream) else { return [] }
    let rows = try await database.run(
      """
      SELECT user_ids FROM user_signature_stream
      WHERE from_user_id = \(user.rawValue) AND stream_id > \(from.stream)::bigint AND stream_id <= \(upTo.maximum)::bigint
      """)
    var users: Set<UserID> = []
    for row in rows {
      let list = try JSON.parse(try row.get(0, as: Text.self))
      for name in list.elements ?? [] { if let name = name.string { users.insert(UserID(unchecked: name)) } }
    }
    return users
  }
}
