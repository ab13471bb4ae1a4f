import MatrixPrimitives
import Postgres
import Replication

/// Finds missed rows of the streams that are served from tables; which table stands behind which stream, and whether the
/// writer counts, is as on Synapse's side.
enum TableStreamQueries {
  typealias Row = StreamPage.Row

  private static func bounds(_ column: SQL, _ from: Int64, _ to: Int64) -> SQL {
    "\(column) > \(from)::bigint AND \(column) <= \(to)::bigint"
  }

  private static func tail(_ limit: Int) -> SQL { "ORDER BY 1 LIMIT \(Int64(limit))::bigint" }

  @Sendable
  static func receipts(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let rows = try await database.read(
      """
      SELECT stream_id, room_id, receipt_type, user_id, event_id, thread_id, data FROM receipts_linearized
      WHERE \(bounds("stream_id", from, to)) AND COALESCE(instance_name, 'master') = \(instance) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, room, type, user, event, thread, data) = try row.decode(
        Int64.self, Text.self, Text.self, Text.self, Text.self, Text?.self, SQLText.self)
      let receipt = ReceiptRow(
        roomID: RoomID(unchecked: room), receiptType: type, userID: UserID(unchecked: user),
        eventID: EventID(unchecked: event), threadID: thread, data: try JSONValue.parse(data.bytes).json)
      return (id, .receipt(receipt))
    }
  }

  @Sendable
  static func accountData(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let range = bounds("stream_id", from, to)
    let rows = try await database.read(
      """
      SELECT stream_id, user_id, NULL AS room_id, account_data_type FROM account_data WHERE \(range)
      UNION ALL
      SELECT stream_id, user_id, room_id, account_data_type FROM room_account_data WHERE \(range)
      UNION ALL
      SELECT stream_id, user_id, room_id, 'm.tag' FROM room_tags_revisions WHERE \(range)
      \(tail(limit))
      """)
    return try rows.map { row in
      let (id, user, room, type) = try row.decode(Int64.self, Text.self, Text?.self, Text.self)
      let changed = AccountDataRow(
        userID: UserID(unchecked: user), roomID: room.map { RoomID(unchecked: $0) }, type: type)
      return (id, .accountData(changed))
    }
  }

  @Sendable
  static func pushRules(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let rows = try await database.read(
      "SELECT stream_id, user_id FROM push_rules_stream WHERE \(bounds("stream_id", from, to)) \(tail(limit))")
    return try rows.map { (try $0.get(0), .pushRules(UserID(unchecked: try $0.get(1)))) }
  }

  @Sendable
  static func pushers(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let rows = try await database.read(
      """
      SELECT id, user_name, app_id, pushkey, false FROM pushers WHERE \(bounds("id", from, to))
      UNION ALL
      SELECT stream_id, user_id, app_id, pushkey, true FROM deleted_pushers WHERE \(bounds("stream_id", from, to))
      \(tail(limit))
      """)
    return try rows.map { row in
      let (id, user, app, key, deleted) = try row.decode(
        Int64.self, Text.self, Text.self, Text.self, Bool.self)
      return (id, .pusher(PusherRow(userID: UserID(unchecked: user), appID: app, pushKey: key, isDeleted: deleted)))
    }
  }

  @Sendable
  static func caches(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    // Dropping too much does no harm, so rows beyond `to` are taken along.
    let rows = try await database.read(
      """
      SELECT stream_id, cache_func, keys, invalidation_ts FROM cache_invalidation_stream_by_instance
      WHERE stream_id > \(from)::bigint AND instance_name = \(instance) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, function, keys, time) = try row.decode(Int64.self, Text.self, [Text]?.self, Int64?.self)
      return (id, .caches(CachesRow(cacheFunction: function, keys: keys, invalidationTS: time)))
    }
  }

  @Sendable
  static func deviceLists(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let range = bounds("stream_id", from, to)
    let rows = try await database.read(
      """
      SELECT stream_id, user_id, false, false FROM device_lists_stream WHERE \(range)
      UNION
      SELECT stream_id, user_id, false, true FROM device_lists_outbound_pokes WHERE \(range)
      UNION
      SELECT stream_id, from_user_id, true, false FROM user_signature_stream WHERE \(range)
      \(tail(limit))
      """)
    return try rows.map { row in
      let (id, user, isSignature, calculated) = try row.decode(Int64.self, Text.self, Bool.self, Bool.self)
      let changed = DeviceListRow(
        userID: UserID(unchecked: user), isSignature: isSignature, areHostsCalculated: calculated)
      return (id, .deviceLists(changed))
    }
  }

  @Sendable
  static func toDevice(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let range = bounds("stream_id", from, to)
    let rows = try await database.read(
      """
      SELECT stream_id, user_id FROM device_inbox WHERE \(range) GROUP BY stream_id, user_id
      UNION ALL
      SELECT stream_id, destination FROM device_federation_outbox WHERE \(range) GROUP BY stream_id, destination
      \(tail(limit))
      """)
    return try rows.map { (try $0.get(0), .toDevice(try $0.get(1))) }
  }

  @Sendable
  static func threadSubscriptions(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let rows = try await database.read(
      """
      SELECT stream_id, user_id, room_id, event_id FROM thread_subscriptions
      WHERE \(bounds("stream_id", from, to)) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, user, room, event) = try row.decode(Int64.self, Text.self, Text.self, Text.self)
      let changed = ThreadSubscriptionRow(
        userID: UserID(unchecked: user), roomID: RoomID(unchecked: room), eventID: EventID(unchecked: event))
      return (id, .threadSubscription(changed))
    }
  }

  @Sendable
  static func stickyEvents(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let rows = try await database.read(
      """
      SELECT stream_id::bigint, room_id, event_id FROM sticky_events
      WHERE \(bounds("stream_id", from, to)) AND instance_name = \(instance) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, room, event) = try row.decode(Int64.self, Text.self, Text.self)
      return (id, .stickyEvent(StickyEventRow(roomID: RoomID(unchecked: room), eventID: EventID(unchecked: event))))
    }
  }

  @Sendable
  static func unPartialStatedRooms(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let rows = try await database.read(
      """
      SELECT stream_id, room_id FROM un_partial_stated_room_stream
      WHERE \(bounds("stream_id", from, to)) AND instance_name = \(instance) \(tail(limit))
      """)
    return try rows.map { (try $0.get(0), .unPartialStatedRoom(RoomID(unchecked: try $0.get(1)))) }
  }

  @Sendable
  static func unPartialStatedEvents(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let rows = try await database.read(
      """
      SELECT stream_id, event_id, rejection_status_changed FROM un_partial_stated_event_stream
      WHERE \(bounds("stream_id", from, to)) AND instance_name = \(instance) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, event, changed) = try row.decode(Int64.self, Text.self, Bool.self)
      let done = UnPartialStatedEventRow(eventID: EventID(unchecked: event), didRejectionChange: changed)
      return (id, .unPartialStatedEvent(done))
    }
  }

  @Sendable
  static func quarantinedMedia(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let rows = try await database.read(
      """
      SELECT stream_id::bigint, COALESCE(origin, ''), media_id, quarantined FROM quarantined_media_changes
      WHERE \(bounds("stream_id", from, to)) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, origin, media, isQuarantined) = try row.decode(Int64.self, Text.self, Text.self, Bool.self)
      let changed = QuarantinedMediaRow(origin: origin, mediaID: media, isQuarantined: isQuarantined)
      return (id, .quarantinedMedia(changed))
    }
  }

  @Sendable
  static func profileUpdates(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [Row] {
    let rows = try await database.read(
      """
      SELECT stream_id, user_id, action, affected_fields::text FROM profile_updates
      WHERE \(bounds("stream_id", from, to)) AND instance_name = \(instance) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, user, action, fields) = try row.decode(Int64.self, Text.self, Text.self, SQLText?.self)
      let names = try fields.map { try JSONValue.parse($0.bytes).elements?.compactMap(\.string) ?? [] }
      return (
        id, .profileUpdate(ProfileUpdateRow(userID: UserID(unchecked: user), action: action, affectedFields: names))
      )
    }
  }
}
