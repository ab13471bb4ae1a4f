import MatrixPrimitives
import Postgres

/// Backups of the keys of encrypted rooms (`e2e_room_keys_versions`, `e2e_room_keys`).
///
/// A user has a list of versions, of which the newest that is not deleted is the current one. Every change of a version's keys locks its row first, so
/// that the etag counts each change, by whichever process it is made.
public final class KeyBackupStore: Sendable {
  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  // MARK: Versions

  /// Reads a version with the count of its sessions; nil when it does not exist or was deleted.
  ///
  /// - Parameter version: its number; nil for the current one.
  public func version(_ version: Int64?, of user: UserID) async throws -> KeyBackupVersion? {
    let rows = try await database.run(
      """
      SELECT v.version, v.algorithm, v.auth_data, coalesce(v.etag, 0),
        (SELECT count(*) FROM e2e_room_keys AS k WHERE k.user_id = v.user_id AND k.version = v.version)
      FROM e2e_room_keys_versions AS v
      WHERE v.user_id = \(user.rawValue) AND v.deleted = 0 AND (\(version)::bigint IS NULL OR v.version = \(version)::bigint)
      ORDER BY v.version DESC LIMIT 1
      """)
    guard let row = rows.first else { return nil }
    let (number, algorithm, authData, etag, count) = try row.decode(
      Int64.self, Text.self, SQLText.self, Int64.self, Int64.self)
    return KeyBackupVersion(
      number: number, algorithm: algorithm, authData: authData.bytes,
      contents: KeyBackupContents(etag: etag, count: count))
  }

  /// Returns whether a version exists and is not deleted.
  public func hasVersion(_ version: Int64, of user: UserID) async throws -> Bool {
    try await !database.run("SELECT 1 FROM e2e_room_keys_versions" + Self.existing(version, user)).isEmpty
  }

  /// Adds a version, which becomes the current one.
  ///
  /// - Parameter authData: JSON.
  /// - Returns: its number, one more than the highest that the user ever had.
  /// - Throws: `MatrixError` 400 when the user has ``mostVersions``, deleted ones included.
  public func addVersion(algorithm: Text, authData: [UInt8], of user: UserID) async throws -> Int64 {
    for attempt in 1...5 {
      do {
        return try await database.transaction("create_room_keys_version", isolation: .readCommitted) { txn in
          SessionStore.lock(user, in: txn)
          let rows = try txn.query(
            "SELECT coalesce(max(version), 0) FROM e2e_room_keys_versions WHERE user_id = \(user.rawValue)")
          let (next, overflow) = (try rows.first?.get(0, as: Int64.self) ?? 0).addingReportingOverflow(1)
          guard !overflow, next <= Self.mostVersions else {
            throw Self.tooMany("versions of a backup", Self.mostVersions)
          }
          txn.enqueue(
            """
            INSERT INTO e2e_room_keys_versions (user_id, version, algorithm, auth_data)
            VALUES (\(user.rawValue), \(next), \(algorithm), \(SQLText(bytes: authData)))
            """)
          return next
        }
      } catch let error as PostgresError where error.isUniqueViolation && attempt < 5 {
        continue  // a Synapse process, which does not lock the user, took the number: the next attempt sees its row
      }
    }
    throw MatrixError.unknown("Couldn't generate a version.", status: 500)
  }

  /// Replaces what a version says of its key.
  ///
  /// - Parameter authData: JSON; nil leaves it.
  /// - Throws: `MatrixError` 404 when there is no such version, 400 `M_INVALID_PARAM` when its algorithm is another one.
  public func updateVersion(_ version: Int64, algorithm: Text, authData: [UInt8]?, of user: UserID) async throws {
    try await database.transaction("update_room_keys_version", isolation: .readCommitted) { txn in
      let rows = try txn.query(
        "SELECT algorithm FROM e2e_room_keys_versions" + Self.existing(version, user) + " FOR UPDATE")
      guard let row = rows.first else { throw Self.unknownVersion }
      guard try row.get(0, as: Text.self) == algorithm else {
        throw MatrixError.invalidParam("Algorithm does not match")
      }
      guard let authData else { return }
      txn.enqueue(
        "UPDATE e2e_room_keys_versions SET auth_data = \(SQLText(bytes: authData))" + Self.existing(version, user))
    }
  }

  /// Deletes a version with its keys. That it was deleted before is no error, as on Synapse.
  ///
  /// - Throws: `MatrixError` 404 when the user never had it.
  public func deleteVersion(_ version: Int64, of user: UserID) async throws {
    try await database.transaction("delete_room_keys_version", isolation: .readCommitted) { txn in
      let deleted = try txn.execute(
        """
        UPDATE e2e_room_keys_versions SET deleted = 1
        WHERE user_id = \(user.rawValue) AND version = \(version)::bigint
        """)
      guard deleted > 0 else { throw Self.unknownVersion }
      txn.enqueue("DELETE FROM e2e_room_keys WHERE user_id = \(user.rawValue) AND version = \(version)::bigint")
    }
  }

  // MARK: Keys

  /// Adds sessions to the current version. A session that is there stays unless the new one is better: verified, or else known from an earlier
  /// message, or else forwarded less often.
  /// https://spec.matrix.org/v1.16/client-server-api/#backup-algorithm-mmegolm_backupv1curve25519-aes-sha2
  ///
  /// - Parameter sessions: no two of one room and ID.
  /// - Throws: `MatrixError` 404 when there is no such version, 403 `M_WRONG_ROOM_KEYS_VERSION` when it is not the current one, 400 when it would
  ///   hold more than ``mostSessions``.
  public func add(
    _ sessions: [BackedUpSession], to version: Int64, of user: UserID
  ) async throws -> KeyBackupContents {
    try await database.transaction("add_room_keys", isolation: .readCommitted) { txn in
      try Self.lockCurrent(version, of: user, in: txn)
      let answers = try txn.pipeline([
        Self.insertion(of: sessions, version, user), Self.count(of: version, user),
      ])
      return try Self.contents(answers)
    }
  }

  /// Deletes sessions of a version, which need not be the current one.
  ///
  /// - Parameters:
  ///   - room: whose sessions; nil for all.
  ///   - session: the only one; nil for all.
  /// - Throws: `MatrixError` 404 when there is no such version.
  public func delete(
    from version: Int64, room: Text?, session: Text?, of user: UserID
  ) async throws -> KeyBackupContents {
    try await database.transaction("delete_room_keys", isolation: .readCommitted) { txn in
      // Counted even when nothing goes, as on Synapse.
      let changed = try txn.query(
        "UPDATE e2e_room_keys_versions SET etag = coalesce(etag, 0) + 1" + Self.existing(version, user)
          + " RETURNING etag")
      guard let etag = try changed.first?.get(0, as: Int64.self) else { throw Self.unknownVersion }
      txn.enqueue("DELETE FROM e2e_room_keys" + Self.keys(of: version, user, room: room, session: session))
      let count = try txn.query(Self.count(of: version, user)).first?.get(0, as: Int64.self)
      return KeyBackupContents(etag: etag, count: count ?? 0)
    }
  }

  /// Reads sessions of a version in the order of rooms and sessions.
  ///
  /// - Parameters:
  ///   - room: whose sessions; nil for all.
  ///   - session: the only one; nil for all.
  ///   - last: the one after which to go on; nil to begin.
  ///   - limit: the greatest number.
  public func sessions(
    in version: Int64, room: Text?, session: Text?, after last: BackedUpSession? = nil, limit: Int, of user: UserID
  ) async throws -> [BackedUpSession] {
    var condition = Self.keys(of: version, user, room: room, session: session)
    if let last { condition += " AND (room_id, session_id) > (\(last.roomID), \(last.sessionID))" }
    let rows = try await database.run(
      """
      SELECT room_id, session_id, coalesce(first_message_index, 0), coalesce(forwarded_count, 0),
        coalesce(is_verified, false), session_data
      FROM e2e_room_keys
      """ + condition + " ORDER BY room_id, session_id LIMIT \(limit)")
    return try rows.map { row in
      let (room, session, index, forwarded, verified, data) = try row.decode(
        Text.self, Text.self, Int32.self, Int32.self, Bool.self, SQLText.self)
      return BackedUpSession(
        roomID: room, sessionID: session, firstMessageIndex: index, forwardedCount: forwarded, isVerified: verified,
        data: data.bytes)
    }
  }

  /// Deletes every backup of a user within a transaction. Versions go first: whoever adds keys holds the row of one.
  static func removeAll(of user: Text, in txn: Transaction) {
    txn.enqueue("DELETE FROM e2e_room_keys_versions WHERE user_id = \(user)")
    txn.enqueue("DELETE FROM e2e_room_keys WHERE user_id = \(user)")
  }
}

extension KeyBackupStore {
  /// The greatest number of versions that a user may ever have had.
  static let mostVersions: Int64 = 10_000
  /// The greatest number of sessions of a version.
  static let mostSessions: Int64 = 1_000_000

  fileprivate static let unknownVersion = MatrixError.notFound("Unknown backup version")

  fileprivate static func tooMany(_ what: Text, _ count: Int64) -> MatrixError {
    .unknown("There are too many \(what) (at most \(count))", status: 400)
  }

  fileprivate static func existing(_ version: Int64, _ user: UserID) -> SQL {
    " WHERE user_id = \(user.rawValue) AND version = \(version)::bigint AND deleted = 0"
  }

  fileprivate static func keys(of version: Int64, _ user: UserID, room: Text?, session: Text?) -> SQL {
    var condition: SQL = " WHERE user_id = \(user.rawValue) AND version = \(version)::bigint"
    if let room { condition += " AND room_id = \(room)" }
    if let session { condition += " AND session_id = \(session)" }
    return condition
  }

  fileprivate static func count(of version: Int64, _ user: UserID) -> SQL {
    "SELECT count(*) FROM e2e_room_keys WHERE user_id = \(user.rawValue) AND version = \(version)::bigint"
  }

  /// Locks the row of a version that has to be the current one.
  fileprivate static func lockCurrent(_ version: Int64, of user: UserID, in txn: Transaction) throws {
    let answers = try txn.pipeline([
      "SELECT 1 FROM e2e_room_keys_versions" + existing(version, user) + " FOR UPDATE",
      "SELECT max(version) FROM e2e_room_keys_versions WHERE user_id = \(user.rawValue) AND deleted = 0",
    ])
    guard answers.first?.isEmpty == false else { throw MatrixError.notFound("Version '\(version)' not found") }
    guard let current = try answers.last?.first?.get(0, as: Int64?.self), current != version else { return }
    throw MatrixError(
      .wrongRoomKeysVersion, "Wrong backup version.", extras: ["current_version": .string(Text(current))])
  }

  /// Stores sessions and counts the etag up when one of them was new or better.
  fileprivate static func insertion(of sessions: [BackedUpSession], _ version: Int64, _ user: UserID) -> SQL {
    """
    WITH stored AS (
      INSERT INTO e2e_room_keys AS k
        (user_id, version, room_id, session_id, first_message_index, forwarded_count, is_verified, session_data)
      SELECT \(user.rawValue), \(version)::bigint, n.*
      FROM unnest(\(sessions.map(\.roomID))::text[], \(sessions.map(\.sessionID))::text[],
        \(sessions.map { Int64($0.firstMessageIndex) })::integer[],
        \(sessions.map { Int64($0.forwardedCount) })::integer[], \(sessions.map(\.isVerified))::boolean[],
        \(sessions.map { SQLText(bytes: $0.data) })::text[]) AS n
      ON CONFLICT (user_id, version, room_id, session_id) DO UPDATE
      SET first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count,
        is_verified = excluded.is_verified, session_data = excluded.session_data
      WHERE (excluded.is_verified, coalesce(k.first_message_index, 0), coalesce(k.forwarded_count, 0))
        > (coalesce(k.is_verified, false), excluded.first_message_index, excluded.forwarded_count)
      RETURNING 1
    )
    UPDATE e2e_room_keys_versions
    SET etag = coalesce(etag, 0) + CASE WHEN EXISTS (SELECT 1 FROM stored) THEN 1 ELSE 0 END
    """ + existing(version, user) + " RETURNING etag"
  }

  fileprivate static func contents(_ answers: [PostgresRows]) throws -> KeyBackupContents {
    let etag = try answers.first?.first?.get(0, as: Int64.self) ?? 0
    let count = try answers.last?.first?.get(0, as: Int64.self) ?? 0
    guard count <= mostSessions else { throw tooMany("keys in the backup", mostSessions) }
    return KeyBackupContents(etag: etag, count: count)
  }
}
