import MatrixPrimitives
import Postgres
import StorageEngine

/// Answers questions that only syncing asks: keys left of a device, changed device lists, members that name a room.
public final class SyncStore: Sendable {
  struct Device: Hashable, Sendable {
    let user: UserID
    let device: Text
  }

  /// Holds what a device has left of the keys that others use up.
  public struct KeyCounts: Sendable {
    /// Holds the number of one-time keys by algorithm; `signed_curve25519` is always there.
    public let oneTimeKeys: [Text: Int]
    /// Holds the algorithms that have a fallback key nobody used yet.
    public let unusedFallbackKeys: [Text]
  }

  let database: PostgresClient
  private let keyCounts: Cache<Device, KeyCounts>

  /// Answers, by user id, whether a user's device list changed after a position.
  public let deviceListChanges: StreamChangeCache
  /// Answers, by user id, whether a user signed somebody's keys after a position.
  public let signatureChanges: StreamChangeCache

  init(database: PostgresClient, caches: CacheRegistry) {
    self.database = database
    let keyCounts: Cache<Device, KeyCounts> = caches.cache("count_e2e_one_time_keys", byteBudget: 8 << 20) { _, _ in 256
    }
    self.keyCounts = keyCounts
    deviceListChanges = caches.changeCache("DeviceListStreamChangeCache", capacity: 20_000)
    signatureChanges = caches.changeCache("UserSignatureStreamChangeCache", capacity: 10_000)
    for name in ["count_e2e_one_time_keys", "get_e2e_unused_fallback_key_types"] {
      caches.register(name) { keys in
        guard let keys, let user = keys.first, keys.count >= 2 else { return keyCounts.invalidateAll() }
        keyCounts.invalidate(Device(user: UserID(unchecked: user), device: keys[1]))
      }
    }
  }

  /// Starts to trust memory from the present position of the `device_lists` stream on.
  func load(at position: Int64) {
    deviceListChanges.start(at: position)
    signatureChanges.start(at: position)
  }

  /// Whether a user has sent an event into one of the rooms, or a receipt, after positions of the streams.
  ///
  /// Cost: one statement.
  public func hasWritten(
    _ user: UserID, eventsIn rooms: [RoomID], after position: Int64, receiptsAfter receiptPosition: Int64
  ) async throws -> Bool {
    let rows = try await database.read(
      """
      SELECT EXISTS (
          SELECT 1 FROM events WHERE room_id = ANY(\(rooms.map(\.rawValue))::text[])
            AND stream_ordering > \(position)::bigint AND sender = \(user.rawValue)
        ) OR EXISTS (
          SELECT 1 FROM receipts_linearized
          WHERE user_id = \(user.rawValue) AND stream_id > \(receiptPosition)::bigint)
      """)
    return try rows.first?.get(0) ?? false
  }

  /// Returns the keys left of a device.
  public func keyCounts(of user: UserID, device: Text) async throws -> KeyCounts {
    let database = self.database
    return try await keyCounts.value(Device(user: user, device: device)) {
      let rows = try await database.read(
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

  /// Takes note of a row of the `device_lists` stream before the position advances.
  public func noteDeviceList(of user: UserID, isSignature: Bool, at token: Int64) {
    (isSignature ? signatureChanges : deviceListChanges).entityChanged(user.rawValue, at: token)
  }

  /// Returns the users whose device lists changed between two positions, in any room; from memory when it reaches back so far.
  public func usersWithChangedDevices(after from: MultiWriterToken, upTo: MultiWriterToken) async throws -> Set<UserID>
  {
    if let known = deviceListChanges.allChanged(since: from.stream) { return Set(known.map { UserID(unchecked: $0) }) }
    let rows = try await database.read(
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
    let rows = try await database.read(
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

  /// Returns for each room up to six members by whom a room without a name is called, best first: those joined, then
  /// invited, then those who left or were banned, each in the order in which they came.
  public func namingMembers(of rooms: [RoomID]) async throws -> [RoomID: [(user: UserID, membership: Text)]] {
    guard !rooms.isEmpty else { return [:] }
    let rows = try await database.read(
      """
      SELECT q.room_id, m.state_key, m.membership FROM unnest(\(rooms.map(\.rawValue))::text[]) AS q (room_id),
      LATERAL (
        SELECT c.state_key, c.membership FROM current_state_events AS c
        WHERE c.room_id = q.room_id AND c.type = 'm.room.member' AND c.membership IN ('join', 'invite', 'leave', 'ban')
        ORDER BY CASE c.membership WHEN 'join' THEN 1 WHEN 'invite' THEN 2 WHEN 'leave' THEN 3 ELSE 4 END,
          c.event_stream_ordering
        LIMIT 6
      ) AS m
      """)
    var members: [RoomID: [(user: UserID, membership: Text)]] = [:]
    for row in rows {
      let (room, user, membership) = try row.decode(Text.self, Text.self, Text.self)
      members[RoomID(unchecked: room), default: []].append((UserID(unchecked: user), membership))
    }
    return members
  }
}
