import MatrixPrimitives
import Postgres

extension DeviceKeyStore {
  /// Hands out one-time keys, the oldest of each device first, and where a device has none left its fallback key, which counts as used from
  /// then on.
  ///
  /// A row that another transaction is handing out is passed over, not waited for, so that no key goes to two and nobody waits for
  /// somebody else's claim. Keys of one upload are equally old; they go in the order of their names.
  /// - Parameter claims: at most one for each device and algorithm.
  /// - Returns: the keys; devices that have none are left out.
  public func claim(_ claims: [KeyClaim]) async throws -> [ClaimedKey] {
    guard !claims.isEmpty else { return [] }
    return try await database.transaction("claim_keys", isolation: .readCommitted) { txn in
      var keys = try Self.takeOneTimeKeys(claims, in: txn)
      var found: Set<KeyClaim> = []
      for key in keys { found.insert(KeyClaim(user: key.key.user, device: key.key.device, algorithm: key.algorithm)) }
      let unmet = claims.filter {
        !found.contains(KeyClaim(user: $0.user, device: $0.device, algorithm: $0.algorithm))
      }
      var stale = Set(keys.map { CacheInvalidation("count_e2e_one_time_keys", [$0.key.user.rawValue, $0.key.device]) })
      if !unmet.isEmpty {
        let fallback = try Self.takeFallbackKeys(unmet, in: txn)
        for (key, wasUsed) in fallback where !wasUsed {
          stale.insert(
            CacheInvalidation("get_e2e_unused_fallback_key_types", [key.key.user.rawValue, key.key.device]))
        }
        keys += fallback.map(\.key)
      }
      try self.invalidator.enqueue(Array(stale), in: txn)
      return keys.map(\.key)
    }
  }

  private typealias Taken = (key: ClaimedKey, algorithm: Text)

  private static func takeOneTimeKeys(_ claims: [KeyClaim], in txn: Transaction) throws -> [Taken] {
    try txn.query(
      """
      WITH taken AS (
        SELECT one.* FROM \(rows(of: claims)) CROSS JOIN LATERAL (
          SELECT user_id, device_id, algorithm, key_id FROM e2e_one_time_keys_json
          WHERE user_id = claim.user_id AND device_id = claim.device_id AND algorithm = claim.algorithm
          ORDER BY ts_added_ms, key_id LIMIT claim.count FOR UPDATE SKIP LOCKED
        ) AS one
      )
      DELETE FROM e2e_one_time_keys_json AS key USING taken
      WHERE key.user_id = taken.user_id AND key.device_id = taken.device_id AND key.algorithm = taken.algorithm
        AND key.key_id = taken.key_id
      RETURNING key.user_id, key.device_id, key.algorithm, key.key_id, key.key_json
      """
    ).map(decode)
  }

  /// Reads fallback keys and marks them used, in one order for all, so that two claims never wait for each other.
  private static func takeFallbackKeys(
    _ claims: [KeyClaim], in txn: Transaction
  ) throws -> [(key: Taken, wasUsed: Bool)] {
    try txn.query(
      """
      WITH found AS (
        SELECT key.user_id, key.device_id, key.algorithm, key.key_id, key.key_json, key.used
        FROM \(rows(of: claims)) JOIN e2e_fallback_keys_json AS key USING (user_id, device_id, algorithm)
      ), unused AS (
        SELECT key.user_id, key.device_id, key.algorithm FROM e2e_fallback_keys_json AS key
        JOIN found USING (user_id, device_id, algorithm) WHERE NOT found.used
        ORDER BY key.user_id, key.device_id, key.algorithm FOR UPDATE OF key
      ), marked AS (
        UPDATE e2e_fallback_keys_json AS key SET used = true FROM unused
        WHERE key.user_id = unused.user_id AND key.device_id = unused.device_id AND key.algorithm = unused.algorithm
      )
      SELECT user_id, device_id, algorithm, key_id, key_json, used FROM found
      """
    ).map { (try decode($0), try $0.get(5)) }
  }

  private static func rows(of claims: [KeyClaim]) -> SQL {
    """
    unnest(\(claims.map(\.user.rawValue))::text[], \(claims.map(\.device))::text[], \(claims.map(\.algorithm))::text[],
      \(claims.map { Int64($0.count) })::bigint[]) AS claim (user_id, device_id, algorithm, count)
    """
  }

  private static func decode(_ row: PostgresRow) throws -> Taken {
    let (user, device, algorithm, id, json) = try row.decode(
      Text.self, Text.self, Text.self, Text.self, Text.self)
    let key = ClaimedKey(user: UserID(unchecked: user), device: device, name: "\(algorithm):\(id)", json: json)
    return (key, algorithm)
  }
}
