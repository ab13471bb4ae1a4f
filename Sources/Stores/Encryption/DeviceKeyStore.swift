import MatrixPrimitives
import Postgres

/// The keys that devices publish: `e2e_device_keys_json`, `e2e_one_time_keys_json`, `e2e_fallback_keys_json`.
///
/// Uploads of a device exclude each other by the lock of its row in `devices`, which also keeps them apart from its deletion.
public final class DeviceKeyStore: Sendable {
  /// The greatest number of one-time keys of one algorithm that a device may leave here, as on Synapse.
  public static let mostOneTimeKeys = 500
  /// The greatest number of algorithms of a device's one-time keys, and of its fallback keys.
  public static let mostAlgorithms = 20

  let database: PostgresClient
  let invalidator: CacheInvalidator
  private let published: PublicKeyStore

  init(_ context: StoreContext, published: PublicKeyStore) {
    database = context.database
    invalidator = context.invalidator
    self.published = published
  }

  /// Stores what a device publishes.
  ///
  /// - Throws: `MatrixError` 401 `M_UNKNOWN_TOKEN` when the device has gone meanwhile.
  public func store(
    _ rows: DeviceKeyRows, of user: UserID, device: Text, nowMilliseconds: Int64
  ) async throws -> DeviceKeyOutcome {
    try await database.transaction("upload_keys", isolation: .readCommitted) { txn in
      try self.store(rows, of: user, device: device, nowMilliseconds: nowMilliseconds, in: txn)
    }
  }

  /// Stores what a device publishes, within a read-committed transaction.
  ///
  /// Identity keys are stored even where the other keys are refused, so that a client that has lost track of its one-time keys still
  /// can be written to.
  /// - Throws: `MatrixError` 401 `M_UNKNOWN_TOKEN` when there is neither the device nor a session of it.
  public func store(
    _ rows: DeviceKeyRows, of user: UserID, device: Text, nowMilliseconds: Int64, in txn: Transaction
  ) throws -> DeviceKeyOutcome {
    let present = try read(rows, of: user, device: device, in: txn)
    if !present.hasDevice { try addMissing(device, of: user, in: txn) }
    let isChanged = rows.identityKeys.map { $0 != present.identityKeys } ?? false
    if isChanged, let keys = rows.identityKeys {
      txn.enqueue(
        """
        INSERT INTO e2e_device_keys_json (user_id, device_id, ts_added_ms, key_json)
        VALUES (\(user.rawValue), \(device), \(nowMilliseconds), \(keys))
        ON CONFLICT (user_id, device_id) DO UPDATE SET ts_added_ms = excluded.ts_added_ms, key_json = excluded.key_json
        """)
      txn.afterCommit(orUnknown: true) { [published] in published.forget(user) }
    }
    let verdict = Self.judge(rows, present)
    guard case .success(let fresh) = verdict else {
      return DeviceKeyOutcome(
        isDeviceChanged: isChanged || !present.hasDevice, oneTimeKeyCounts: present.counts,
        refusal: verdict.refusal)
    }
    try insert(fresh, of: user, device: device, nowMilliseconds: nowMilliseconds, in: txn)
    var counts = present.counts
    for key in fresh.oneTimeKeys { counts[key.algorithm, default: 0] += 1 }
    return DeviceKeyOutcome(
      isDeviceChanged: isChanged || !present.hasDevice, oneTimeKeyCounts: counts, refusal: nil)
  }

  // MARK: What is there

  /// What is stored of a device before an upload.
  private struct Present {
    var hasDevice = false
    var identityKeys: Text?
    var oneTimeKeys: [Text: Text] = [:]
    var fallbackKeys: [Text: Text] = [:]
    var counts: [Text: Int] = ["signed_curve25519": 0]
  }

  private func read(
    _ rows: DeviceKeyRows, of user: UserID, device: Text, in txn: Transaction
  ) throws -> Present {
    let filter: SQL = " WHERE user_id = \(user.rawValue) AND device_id = \(device)"
    let answers = try txn.pipeline([
      "SELECT 1 FROM devices" + filter + " AND NOT hidden FOR NO KEY UPDATE",
      "SELECT key_json FROM e2e_device_keys_json" + filter,
      "SELECT algorithm, key_id, key_json FROM e2e_one_time_keys_json" + filter
        + " AND key_id = ANY(\(rows.oneTimeKeys.map(\.id))::text[])",
      "SELECT algorithm, key_json FROM e2e_fallback_keys_json" + filter,
      "SELECT algorithm, COUNT(*) FROM e2e_one_time_keys_json" + filter + " GROUP BY algorithm",
    ])
    var present = Present()
    guard answers.count == 5 else { return present }
    present.hasDevice = !answers[0].isEmpty
    present.identityKeys = try answers[1].first?.get(0, as: Text.self)
    for row in answers[2] {
      let (algorithm, id, json) = try row.decode(Text.self, Text.self, Text.self)
      present.oneTimeKeys["\(algorithm):\(id)"] = json
    }
    for row in answers[3] { present.fallbackKeys[try row.get(0)] = try row.get(1, as: Text.self) }
    for row in answers[4] { present.counts[try row.get(0)] = try row.get(1, as: Int.self) }
    return present
  }

  /// Adds the device of a session that has none, as old databases have them.
  private func addMissing(_ device: Text, of user: UserID, in txn: Transaction) throws {
    let added = try txn.query(
      """
      INSERT INTO devices (user_id, device_id, display_name, hidden)
      SELECT user_id, device_id, NULL, false FROM access_tokens
      WHERE user_id = \(user.rawValue) AND device_id = \(device) LIMIT 1
      ON CONFLICT (user_id, device_id) DO NOTHING RETURNING 1
      """)
    guard !added.isEmpty else { throw MatrixError.unknownToken() }
    try invalidator.enqueue([CacheInvalidation("get_device", [user.rawValue, device])], in: txn)
  }

  // MARK: Rules

  private enum Verdict {
    /// What is new among the keys.
    case success(DeviceKeyRows)
    case failure(MatrixError)

    var refusal: MatrixError? { if case .failure(let error) = self { error } else { nil } }
  }

  /// Picks the keys that are new.
  ///
  /// A key that comes again is passed over: the answer to the first upload may have been lost. Signatures may differ then.
  private static func judge(_ rows: DeviceKeyRows, _ present: Present) -> Verdict {
    var fresh = DeviceKeyRows()
    var counts = present.counts
    for key in rows.oneTimeKeys {
      guard let old = present.oneTimeKeys[key.name] else {
        fresh.oneTimeKeys.append(key)
        counts[key.algorithm, default: 0] += 1
        continue
      }
      guard isSame(old, key.json) else {
        return .failure(
          .unknown("One time key \(key.name) already exists. Old key: \(old); new key: \(key.json)"))
      }
    }
    for algorithm in Set(fresh.oneTimeKeys.map(\.algorithm)) {
      guard let total = counts[algorithm], total > mostOneTimeKeys else { continue }
      return .failure(
        MatrixError(
          .tooLarge,
          "The device would hold \(total) one-time keys of \(algorithm), over the limit of \(mostOneTimeKeys)",
          status: 400))
    }
    let algorithms = Set(counts.filter { $0.value > 0 }.keys)
    let fallbackAlgorithms = Set(present.fallbackKeys.keys).union(rows.fallbackKeys.map(\.algorithm))
    guard algorithms.count <= mostAlgorithms, fallbackAlgorithms.count <= mostAlgorithms else {
      return .failure(
        MatrixError(.tooLarge, "The device would hold keys of more than \(mostAlgorithms) algorithms", status: 400))
    }
    fresh.fallbackKeys = rows.fallbackKeys.filter { key in
      // A key that was handed out already does not become an unused one by being uploaded again.
      present.fallbackKeys[key.algorithm].map { canonical($0) != canonical(key.json) } ?? true
    }
    return .success(fresh)
  }

  private static func isSame(_ old: Text, _ new: Text) -> Bool {
    canonical(old, omitting: ["signatures"]) == canonical(new, omitting: ["signatures"])
  }

  /// Returns the form in which keys are compared; that of a key that cannot be read is the text itself.
  private static func canonical(_ json: Text, omitting: Set<Text> = []) -> [UInt8] {
    do {
      return try CanonicalJSON.encode(try JSONValue.parse(json), omitting: omitting, strict: false)
    } catch {
      return Array(json.utf8)
    }
  }

  // MARK: Writing

  private func insert(
    _ rows: DeviceKeyRows, of user: UserID, device: Text, nowMilliseconds: Int64, in txn: Transaction
  ) throws {
    var stale: [CacheInvalidation] = []
    if !rows.oneTimeKeys.isEmpty {
      let keys = rows.oneTimeKeys
      txn.enqueue(
        """
        INSERT INTO e2e_one_time_keys_json (user_id, device_id, algorithm, key_id, ts_added_ms, key_json)
        SELECT \(user.rawValue), \(device), key.algorithm, key.id, \(nowMilliseconds)::bigint, key.json
        FROM unnest(\(keys.map(\.algorithm))::text[], \(keys.map(\.id))::text[], \(keys.map(\.json))::text[])
          AS key (algorithm, id, json)
        """)
      stale.append(CacheInvalidation("count_e2e_one_time_keys", [user.rawValue, device]))
    }
    if !rows.fallbackKeys.isEmpty {
      let keys = rows.fallbackKeys.sorted { $0.algorithm < $1.algorithm }
      txn.enqueue(
        """
        INSERT INTO e2e_fallback_keys_json (user_id, device_id, algorithm, key_id, key_json, used)
        SELECT \(user.rawValue), \(device), key.algorithm, key.id, key.json, false
        FROM unnest(\(keys.map(\.algorithm))::text[], \(keys.map(\.id))::text[], \(keys.map(\.json))::text[])
          AS key (algorithm, id, json)
        ON CONFLICT (user_id, device_id, algorithm)
        DO UPDATE SET key_id = excluded.key_id, key_json = excluded.key_json, used = false
        """)
      stale.append(CacheInvalidation("get_e2e_unused_fallback_key_types", [user.rawValue, device]))
    }
    try invalidator.enqueue(stale, in: txn)
  }
}
