import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// The keys that users query of each other, in memory as they are answered.
///
/// A user's keys are forgotten by a row of the stream `device_lists` and by the invalidations of Synapse's functions, whichever comes
/// first, and by what this process writes.
public final class PublicKeyStore: Sendable {
  /// How many users one statement reads.
  private static let usersPerRead = 500

  private let database: PostgresClient
  private let users: Cache<UserID, UserKeys>
  private let signatures: Cache<UserID, [KeySignature]>

  init(_ context: StoreContext) {
    database = context.database
    users = context.caches.cache("_get_bare_e2e_cross_signing_keys", byteBudget: 16 << 20) { $1.weight }
    signatures = context.caches.cache("_get_e2e_cross_signing_signatures", byteBudget: 4 << 20) { 128 + $1.count * 320 }
    context.caches.register("_get_bare_e2e_cross_signing_keys", "get_device", of: users)
    context.caches.register("_get_e2e_cross_signing_signatures_for_device") { [weak self] keys in
      self?.forgetSigners(keys)
    }
    context.follow(.deviceLists, for: self) { store, batches in
      for batch in batches {
        for case .deviceLists(let row) in batch.rows where !row.areHostsCalculated { store.forget(row.userID) }
      }
    }
  }

  /// Drops what is remembered of a user's keys and of the signatures that the user made.
  func forget(_ user: UserID) {
    users.invalidate(user)
    signatures.invalidate(user)
  }

  /// Drops the keys of signers; each entry is a list of user and device in JSON, as Synapse announces it.
  private func forgetSigners(_ keys: [Text]?) {
    guard let keys else {
      users.invalidateAll()
      return signatures.invalidateAll()
    }
    for key in keys {
      // Synapse passes over what it cannot read, too.
      guard let user = (try? JSON.parse(key))?[0]?.string else { continue }
      forget(UserID(unchecked: user))
    }
  }

  /// Reads the keys of users; who has none, or does not exist, has an empty entry.
  ///
  /// Cost: nothing for users that are remembered, a statement for each 500 others.
  public func keys(of wanted: [UserID]) async throws -> [UserID: UserKeys] {
    try await users.values(wanted) { missing in
      var found: [UserID: UserKeys] = Dictionary(minimumCapacity: missing.count)
      var rest = missing[...]
      while !rest.isEmpty {
        let part = Array(rest.prefix(Self.usersPerRead))
        rest = rest.dropFirst(part.count)
        found.merge(try await read(part)) { _, new in new }
      }
      return found
    }
  }

  /// Reads the keys of one user as the database has them now.
  public func currentKeys(of user: UserID) async throws -> UserKeys { try await read([user])[user] ?? UserKeys() }

  /// Reads all signatures that a user made on cross-signing keys, the user's own among them.
  public func signatures(by user: UserID) async throws -> [KeySignature] {
    try await signatures.value(user) { [self] in try await currentSignatures(by: user) }
  }

  /// Reads all signatures that a user made, as the database has them now.
  public func currentSignatures(by user: UserID) async throws -> [KeySignature] {
    try await database.run(
      """
      SELECT target_user_id, target_device_id, key_id, signature FROM e2e_cross_signing_signatures
      WHERE user_id = \(user.rawValue)
      """
    ).map { row in
      let (target, device, key, signature) = try row.decode(Text.self, Text.self, Text.self, Text.self)
      return KeySignature(target: UserID(unchecked: target), device: device, keyID: key, signature: signature)
    }
  }

  private func read(_ users: [UserID]) async throws -> [UserID: UserKeys] {
    let names = users.map(\.rawValue)
    let rows = try await database.run(
      """
      SELECT 'device', key.user_id, key.device_id, device.display_name, key.key_json
      FROM e2e_device_keys_json AS key JOIN devices AS device USING (user_id, device_id)
      WHERE key.user_id = ANY(\(unseen: names)) AND NOT device.hidden
      UNION ALL
      SELECT 'signature', signed.user_id, signed.target_device_id, signed.key_id, signed.signature
      FROM e2e_cross_signing_signatures AS signed
      WHERE signed.user_id = ANY(\(unseen: names)) AND signed.target_user_id = signed.user_id
      UNION ALL
      (SELECT DISTINCT ON (user_id, keytype) 'key', user_id, keytype, NULL, keydata FROM e2e_cross_signing_keys
       WHERE user_id = ANY(\(unseen: names)) ORDER BY user_id, keytype, stream_id DESC)
      """)
    var drafts: [UserID: Draft] = Dictionary(minimumCapacity: users.count)
    for row in rows {
      let (kind, user, name, extra, value) = try row.decode(Text.self, Text.self, Text.self, Text?.self, Text.self)
      drafts[UserID(unchecked: user), default: Draft()].add(kind, name, extra, value)
    }
    var found: [UserID: UserKeys] = Dictionary(minimumCapacity: users.count)
    for user in users { found[user] = drafts[user].map { $0.keys(of: user) } ?? UserKeys() }
    return found
  }

  /// The rows of a user before they are put together.
  private struct Draft {
    var devices: [(id: Text, name: Text?, json: Text)] = []
    var signatures: [Text: [(keyID: Text, signature: Text)]] = [:]
    var crossSigning: [UserKeys.Usage: UserKeys.CrossSigningKey] = [:]

    mutating func add(_ kind: Text, _ name: Text, _ extra: Text?, _ value: Text) {
      switch kind {
      case "device": devices.append((name, extra, value))
      case "signature": signatures[name, default: []].append((extra ?? "", value))
      default:
        guard let usage = UserKeys.Usage(rawValue: name) else { return }
        crossSigning[usage] = UserKeys.CrossSigningKey(stored: value)
      }
    }

    func keys(of user: UserID) -> UserKeys {
      var keys = UserKeys()
      keys.devices = devices.sorted { $0.id < $1.id }.compactMap { device in
        UserKeys.Device(
          id: device.id, stored: device.json, name: device.name, owner: user, signatures: signatures[device.id] ?? [])
      }
      keys.crossSigning = crossSigning
      return keys
    }
  }
}
