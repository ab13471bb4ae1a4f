import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// Account data, tags and ignored users (`account_data`, `room_account_data`, `room_tags`,
/// `room_tags_revisions`, `ignored_users`).
///
/// Reading is one statement a user, then memory until a row of the `account_data` stream names the user. Only a writer of the
/// stream may call the writing functions; each returns the stream id that the caller publishes.
public final class AccountDataStore: Sendable {
  let database: PostgresClient
  let writer: StreamWriter
  let invalidator: CacheInvalidator
  let snapshots: Cache<UserID, UserAccountData>
  let ignorers: Cache<UserID, Set<UserID>>

  /// The stream id of each user's last change, which says whether anything changed after a stream id.
  public let changes: StreamChangeCache

  /// The type under which a client stores the users it ignores.
  public static let ignoredUserList = "m.ignored_user_list"

  init(_ context: StoreContext) {
    database = context.database
    invalidator = context.invalidator
    writer = StreamWriter(.accountData, context.ids[.accountData], context)
    let caches = context.caches
    snapshots = caches.cache("get_global_account_data_for_user", byteBudget: 16 << 20) { $1.weight }
    ignorers = caches.cache("ignored_by", byteBudget: 4 << 20) { 128 + $1.count * 64 }
    changes = caches.changeCache("AccountDataAndTagsChangeCache")
    follow(context)
  }

  private func follow(_ context: StoreContext) {
    context.afterLoad { [changes, writer] in changes.start(at: writer.ids.currentToken) }
    context.follow(.accountData, for: self) { store, batches in
      for batch in batches {
        for case .accountData(let row) in batch.rows { store.noteChange(of: row.userID, at: batch.token) }
      }
    }
    // Synapse's processes name the caches that they have themselves.
    context.caches.register(
      "get_global_account_data_for_user", "get_global_account_data_by_type_for_user", "get_room_account_data_for_user",
      "get_account_data_for_room", "get_account_data_for_room_and_type", "ignored_users", of: snapshots)
    context.caches.register("ignored_by", of: ignorers)
  }

  /// The point up to which this process may read the stream.
  public var position: Int64 { writer.ids.currentToken }

  /// Takes note of a change of a user's data: to be called for every row of the stream before the position advances.
  public func noteChange(of user: UserID, at token: Int64) {
    snapshots.invalidate(user)
    changes.entityChanged(user.rawValue, at: token)
  }

  /// Returns everything stored for a user.
  public func data(of user: UserID) async throws -> UserAccountData {
    let database = self.database
    return try await snapshots.value(user) { try await Self.load(user, database) }
  }

  /// Returns the users whom a user ignores.
  public func ignoredUsers(_ user: UserID) async throws -> Set<UserID> { try await data(of: user).ignoredUsers }

  /// Returns the users who ignore `user`.
  public func ignorers(of user: UserID) async throws -> Set<UserID> {
    let database = self.database
    return try await ignorers.value(user) {
      let rows = try await database.run(
        "SELECT ignorer_user_id FROM ignored_users WHERE ignored_user_id = \(user.rawValue)")
      return Set(try rows.map { UserID(unchecked: try $0.get(0)) })
    }
  }

  private static func load(_ user: UserID, _ database: PostgresClient) async throws -> UserAccountData {
    let id = user.rawValue
    let rows = try await database.run(
      """
      SELECT 0, '', account_data_type, stream_id, content FROM account_data WHERE user_id = \(id)
      UNION ALL
      SELECT 1, room_id, account_data_type, stream_id, content FROM room_account_data WHERE user_id = \(id)
      UNION ALL
      SELECT 2, room_id, tag, 0, content FROM room_tags WHERE user_id = \(id)
      UNION ALL
      SELECT 3, room_id, '', stream_id, '' FROM room_tags_revisions WHERE user_id = \(id)
      UNION ALL
      SELECT 4, '', ignored_user_id, 0, '' FROM ignored_users WHERE ignorer_user_id = \(id)
      """)
    var data = UserAccountData()
    for row in rows {
      let (kind, room, name, streamID, content) = try row.decode(
        Int.self, Text.self, Text.self, Int64.self, SQLText.self)
      data.add(kind: kind, room: RoomID(unchecked: room), name: name, streamID: streamID, content: content.bytes)
    }
    return data
  }
}

extension UserAccountData {
  fileprivate mutating func add(kind: Int, room: RoomID, name: Text, streamID: Int64, content: [UInt8]) {
    switch kind {
    case 0: global[name] = Entry(streamID: streamID, content: content)
    case 1: rooms[room, default: [:]][name] = Entry(streamID: streamID, content: content)
    case 2: tags[room, default: RoomTags()].tags[name] = content
    case 3: tags[room, default: RoomTags()].streamID = streamID
    default: ignoredUsers.insert(UserID(unchecked: name))
    }
  }
}
