import MatrixPrimitives
import Postgres
import StorageEngine

/// Cross-signing keys and the signatures made with them: `e2e_cross_signing_keys`, `e2e_cross_signing_signatures`.
///
/// Writes of a user exclude each other, and the opening of sessions, by the lock of the user's row.
public final class CrossSigningStore: Sendable {
  /// A key that a user uploads.
  public struct NewKey: Sendable {
    /// What the key is for.
    public let usage: UserKeys.Usage
    /// The public key in base64.
    public let publicKey: Text
    /// The key as it was uploaded.
    public let json: JSON

    /// Collects a key's columns.
    public init(usage: UserKeys.Usage, publicKey: Text, json: JSON) {
      self.usage = usage
      self.publicKey = publicKey
      self.json = json
    }
  }

  /// What became of an upload.
  public enum Outcome: Sendable {
    /// These keys were stored; the others were there already.
    case stored([NewKey])
    /// A master key is there, and the user has not confirmed that the keys may be replaced.
    case needsConfirmation
  }

  private let database: PostgresClient
  private let invalidator: CacheInvalidator
  private let ids: StreamIDGenerator
  private let instanceName: Text

  init(_ context: StoreContext) {
    database = context.database
    invalidator = context.invalidator
    ids = context.ids[.crossSigningKeys]
    instanceName = context.hub.instanceName
  }

  /// Stores a user's cross-signing keys, as far as they are new.
  ///
  /// - Parameter isConfirmed: whether the user has shown that the present keys may be replaced; it is needed as soon as there is a master key
  ///   and any key differs, which is decided here, so that of two first uploads at the same time one is asked for it.
  /// - Throws: `MatrixError` 403 `M_FORBIDDEN` when a public key is the name of one of the user's devices.
  public func store(_ keys: [NewKey], of user: UserID, isConfirmed: Bool) async throws -> Outcome {
    try await database.transaction("store_cross_signing_keys", isolation: .readCommitted) { txn in
      SessionStore.lock(user, in: txn)
      let present = try Self.present(of: user, in: txn)
      let fresh = keys.filter { present[$0.usage] != $0.json }
      guard !fresh.isEmpty else { return .stored([]) }
      guard isConfirmed || present[.master] == nil else { return .needsConfirmation }
      try Self.reserve(fresh, of: user, in: txn)
      let reservation = try self.ids.allocate(fresh.count, in: txn)
      let instance = self.instanceName
      txn.enqueue(
        """
        INSERT INTO e2e_cross_signing_keys (user_id, keytype, keydata, stream_id, instance_name)
        SELECT \(user.rawValue), key.type, key.json, key.id, \(instance)
        FROM unnest(\(fresh.map(\.usage.rawValue))::text[], \(fresh.map { SQLText(bytes: $0.json.encoded) })::text[],
          \(reservation.ids)::bigint[]) AS key (type, json, id)
        """)
      try self.invalidator.enqueue(
        [CacheInvalidation("_get_bare_e2e_cross_signing_keys", [user.rawValue])], in: txn)
      return .stored(fresh)
    }
  }

  private static func present(of user: UserID, in txn: Transaction) throws -> [UserKeys.Usage: JSON] {
    let rows = try txn.query(
      """
      SELECT DISTINCT ON (keytype) keytype, keydata FROM e2e_cross_signing_keys
      WHERE user_id = \(user.rawValue) ORDER BY keytype, stream_id DESC
      """)
    var keys: [UserKeys.Usage: JSON] = [:]
    for row in rows {
      let (type, data) = try row.decode(Text.self, Text.self)
      // A key that cannot be read is there all the same, and differs from every other.
      if let usage = UserKeys.Usage(rawValue: type) { keys[usage] = (try? JSON.parse(data)) ?? .null }
    }
    return keys
  }

  /// Takes the public keys out of the names that devices may have: signatures name devices and keys alike.
  ///
  /// - Throws: `MatrixError` 403 `M_FORBIDDEN` when a device has such a name.
  private static func reserve(_ keys: [NewKey], of user: UserID, in txn: Transaction) throws {
    let names = keys.map(\.publicKey)
    let taken = try txn.query(
      """
      INSERT INTO devices (user_id, device_id, display_name, hidden)
      SELECT \(user.rawValue), key.name, key.title, true
      FROM unnest(\(names)::text[], \(keys.map { "\($0.usage.rawValue) signing key" as Text })::text[])
        AS key (name, title)
      ON CONFLICT (user_id, device_id) DO UPDATE SET display_name = excluded.display_name WHERE devices.hidden
      RETURNING 1
      """)
    guard taken.count == names.count else { throw MatrixError.forbidden("Key ID in use") }
  }

  /// Reads whether a user has a master key.
  public func hasMasterKey(_ user: UserID) async throws -> Bool {
    try await !database.run(
      "SELECT 1 FROM e2e_cross_signing_keys WHERE user_id = \(user.rawValue) AND keytype = 'master' LIMIT 1"
    ).isEmpty
  }

  /// Permits, until a time since 1970, that a user's master key is replaced without further authentication.
  ///
  /// - Returns: false when the user has no master key.
  public func permitReplacement(of user: UserID, untilMilliseconds: Int64) async throws -> Bool {
    try await !database.run(
      """
      UPDATE e2e_cross_signing_keys SET updatable_without_uia_before_ms = \(untilMilliseconds)
      WHERE stream_id = (SELECT stream_id FROM e2e_cross_signing_keys
        WHERE user_id = \(user.rawValue) AND keytype = 'master' ORDER BY stream_id DESC LIMIT 1)
      RETURNING 1
      """
    ).isEmpty
  }

  /// Stores signatures that a user made; a signature by the same key on the same key is replaced.
  public func store(_ signatures: [KeySignature], by user: UserID) async throws {
    guard !signatures.isEmpty else { return }
    let (targets, devices) = (signatures.map(\.target.rawValue), signatures.map(\.device))
    let (keys, values) = (signatures.map(\.keyID), signatures.map(\.signature))
    try await database.transaction("store_key_signatures", isolation: .readCommitted) { txn in
      SessionStore.lock(user, in: txn)
      // The index that would resolve conflicts is made in the background after an update of Synapse.
      txn.enqueue(
        """
        DELETE FROM e2e_cross_signing_signatures AS old
        USING unnest(\(targets)::text[], \(devices)::text[], \(keys)::text[]) AS new (target, device, key)
        WHERE old.user_id = \(user.rawValue) AND old.target_user_id = new.target
          AND old.target_device_id = new.device AND old.key_id = new.key
        """)
      txn.enqueue(
        """
        INSERT INTO e2e_cross_signing_signatures (user_id, key_id, target_user_id, target_device_id, signature)
        SELECT \(user.rawValue), new.key, new.target, new.device, new.signature
        FROM unnest(\(targets)::text[], \(devices)::text[], \(keys)::text[], \(values)::text[])
          AS new (target, device, key, signature)
        """)
      let names = Set(devices).sorted().map { device -> Text in
        Text(decoding: JSON.array([.string(user.rawValue), .string(device)]).encoded, as: UTF8.self)
      }
      try self.invalidator.enqueue(
        [CacheInvalidation("_get_e2e_cross_signing_signatures_for_device", names)], in: txn)
    }
  }
}
