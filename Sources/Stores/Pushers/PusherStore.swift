import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// Users' pushers (`pushers`, and what is left of deleted ones in `deleted_pushers`). Only a writer of the stream changes them.
public final class PusherStore: Sendable {
  /// The greatest number of pushers of a user.
  static let mostPushers: Int64 = 500

  private let database: PostgresClient
  private let invalidator: CacheInvalidator
  private let writer: StreamWriter
  private let clock: ServerClock

  init(_ context: StoreContext) {
    database = context.database
    invalidator = context.invalidator
    clock = context.clock
    writer = StreamWriter(.pushers, context.ids[.pushers], context)
  }

  /// Lists a user's pushers.
  public func pushers(of user: UserID) async throws -> [Pusher] {
    try await database.run(
      """
      SELECT kind, app_id, pushkey, app_display_name, device_display_name, profile_tag, lang, coalesce(data, 'null'),
        coalesce(enabled, true), device_id
      FROM pushers WHERE user_name = \(user.rawValue) ORDER BY id
      """
    ).map { row in
      Pusher(
        kind: try row.get(0), appID: try row.get(1), pushKey: try row.get(2), appDisplayName: try row.get(3),
        deviceDisplayName: try row.get(4), profileTag: try row.get(5), language: try row.get(6),
        data: try row.get(7, as: SQLText.self).bytes, isEnabled: try row.get(8), deviceID: try row.get(9))
    }
  }

  /// Lists the pushers that devices of a user have made.
  public func pushers(of user: UserID, madeBy devices: [Text]) async throws -> [(appID: Text, pushKey: Text)] {
    try await database.run(
      """
      SELECT app_id, pushkey FROM pushers
      WHERE user_name = \(user.rawValue) AND device_id = ANY(\(devices)::text[]) ORDER BY id
      """
    ).map { (try $0.get(0), try $0.get(1)) }
  }

  /// Returns whether a feature that is switched on for single users is on for one (`per_user_experimental_features`).
  public func isFeatureEnabled(_ feature: Text, for user: UserID) async throws -> Bool {
    try await !database.run(
      """
      SELECT 1 FROM per_user_experimental_features
      WHERE user_id = \(user.rawValue) AND feature = \(feature) AND enabled
      """
    ).isEmpty
  }

  // MARK: Changing

  /// Adds a pusher, or replaces the one of the same app and key, which stays with the device that made it.
  ///
  /// - Parameter replacesOthers: whether other users' pushers of the same app and key go: there is one device behind them.
  /// - Throws: `MatrixError` 400 when the user would have more than ``mostPushers``.
  public func set(_ pusher: Pusher, of user: UserID, replacesOthers: Bool) async throws {
    try await writer.write { [self] id in
      let rows = try await database.transaction("add_pusher", isolation: .readCommitted) { [self] txn in
        try set(pusher, of: user, replacesOthers: replacesOthers, id, in: txn)
      }
      return ((), rows.map { .pusher($0) })
    }
  }

  private func set(
    _ pusher: Pusher, of user: UserID, replacesOthers: Bool, _ id: Int64, in txn: Transaction
  ) throws -> [PusherRow] {
    // One after the other for the device, so that each sees whom it replaces.
    txn.enqueue("SELECT pg_advisory_xact_lock(hashtextextended(\(pusher.appID) || ' ' || \(pusher.pushKey), 0))")
    var rows: [PusherRow] = []
    if replacesOthers {
      rows = try delete(
        "app_id = \(pusher.appID) AND pushkey = \(pusher.pushKey) AND user_name <> \(user.rawValue)", id, in: txn)
    }
    txn.enqueue(insertion(of: pusher, user, id))
    let count = try txn.query("SELECT count(*) FROM pushers WHERE user_name = \(user.rawValue)").first
    guard try count?.get(0, as: Int64.self) ?? 0 <= Self.mostPushers else {
      throw MatrixError.unknown("There are too many pushers (at most \(Self.mostPushers))", status: 400)
    }
    rows.append(PusherRow(userID: user, appID: pusher.appID, pushKey: pusher.pushKey, isDeleted: false))
    try invalidate(Set(rows.map(\.userID)), in: txn)
    return rows
  }

  /// Deletes a pusher; that there is none is no error.
  public func remove(appID: Text, pushKey: Text, of user: UserID) async throws {
    try await remove("app_id = \(appID) AND pushkey = \(pushKey) AND user_name = \(user.rawValue)")
  }

  /// Deletes all pushers of a user.
  public func removeAll(of user: UserID) async throws { try await remove("user_name = \(user.rawValue)") }

  private func remove(_ condition: SQL) async throws {
    try await writer.write { [self] id in
      let rows = try await database.transaction("delete_pusher", isolation: .readCommitted) { [self] txn in
        let rows = try delete(condition, id, in: txn)
        try invalidate(Set(rows.map(\.userID)), in: txn)
        return rows
      }
      return ((), rows.map { .pusher($0) })
    }
  }

  private func delete(_ condition: SQL, _ id: Int64, in txn: Transaction) throws -> [PusherRow] {
    try txn.query(
      """
      WITH gone AS (DELETE FROM pushers WHERE \(condition) RETURNING user_name, app_id, pushkey)
      INSERT INTO deleted_pushers (stream_id, instance_name, app_id, pushkey, user_id)
      SELECT \(id)::bigint, \(writer.instanceName), app_id, pushkey, user_name FROM gone
      RETURNING user_id, app_id, pushkey
      """
    ).map {
      PusherRow(
        userID: UserID(unchecked: try $0.get(0)), appID: try $0.get(1), pushKey: try $0.get(2), isDeleted: true)
    }
  }

  private func insertion(of pusher: Pusher, _ user: UserID, _ id: Int64) -> SQL {
    """
    INSERT INTO pushers AS p (id, instance_name, user_name, kind, app_id, pushkey, app_display_name, device_display_name,
      profile_tag, lang, data, enabled, device_id, ts, last_stream_ordering)
    VALUES (\(id)::bigint, \(writer.instanceName), \(user.rawValue), \(pusher.kind), \(pusher.appID), \(pusher.pushKey),
      \(pusher.appDisplayName), \(pusher.deviceDisplayName), \(pusher.profileTag), \(pusher.language),
      \(SQLText(bytes: pusher.data)), \(pusher.isEnabled), \(pusher.deviceID), \(clock.nowMilliseconds)::bigint,
      coalesce((SELECT max(stream_ordering) FROM events), 0))
    ON CONFLICT (app_id, pushkey, user_name) DO UPDATE SET
      id = excluded.id, instance_name = excluded.instance_name, kind = excluded.kind,
      app_display_name = excluded.app_display_name, device_display_name = excluded.device_display_name,
      profile_tag = excluded.profile_tag, lang = excluded.lang, data = excluded.data, enabled = excluded.enabled,
      ts = excluded.ts, last_stream_ordering = excluded.last_stream_ordering
    """
  }

  private func invalidate(_ users: Set<UserID>, in txn: Transaction) throws {
    try invalidator.enqueue(users.map { CacheInvalidation("get_if_user_has_pusher", [$0.rawValue]) }, in: txn)
  }
}
