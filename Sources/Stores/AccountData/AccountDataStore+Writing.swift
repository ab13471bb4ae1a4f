import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

extension AccountDataStore {
  /// What users may store. The first writer of the stream checks it, also for what other processes ask of it.
  private enum Bounds {
    /// The longest type, in bytes.
    static let typeLength = 255
    /// The largest content of global account data, in bytes.
    static let globalSize = 1 << 20
    /// The largest content of account data or of a tag of a room, in bytes.
    static let roomSize = 65_536
    /// The greatest number of types of a user's global account data.
    static let globalCount = 500
    /// The greatest number of pieces of a user's account data in rooms: clients name the rooms, and none need exist.
    static let roomCount = 50_000
    /// The greatest number of tags of a room.
    static let tagCount = 100
    /// The greatest number of users that a user may ignore.
    static let ignoredCount = 10_000

    static func check(_ type: Text, _ content: JSONValue, _ size: Int) throws(MatrixError) {
      guard type.utf8.count <= typeLength else { throw .invalidParam("The type is longer than \(typeLength) bytes") }
      guard content.raw.count <= size else {
        throw .tooLarge("The content is too large (\(content.raw.count) bytes > \(size) bytes)")
      }
    }

    static func tooMany(_ what: Text, _ count: Int) -> MatrixError {
      .unknown("There is too much \(what) (at most \(count))", status: 400)
    }
  }

  /// Stores a piece of global account data, replacing the one of the same type.
  ///
  /// - Returns: the stream id of the change.
  /// - Throws: 400 `M_INVALID_PARAM` when the user would ignore themselves; 413 and 400 for what is too large or too much.
  public func setGlobal(_ user: UserID, type: Text, content: JSONValue) async throws -> Int64 {
    try Bounds.check(type, content, Bounds.globalSize)
    let ignored = try type == Self.ignoredUserList ? Self.ignoredUsers(in: content, by: user) : nil
    let (json, invalidator, instanceName) = (JSON(content).encodedText, invalidator, writer.instanceName)
    return try await writing(AccountDataRow(userID: user, roomID: nil, type: type)) { txn, streamID in
      let stored = try txn.execute(
        """
        INSERT INTO account_data (user_id, account_data_type, stream_id, content, instance_name)
        SELECT \(user.rawValue), \(type), \(streamID)::bigint, \(json), \(instanceName)
        WHERE \(Bounds.globalCount)::bigint > (SELECT count(*) FROM account_data
          WHERE user_id = \(user.rawValue) AND account_data_type <> \(type))
        ON CONFLICT (user_id, account_data_type)
        DO UPDATE SET stream_id = EXCLUDED.stream_id, content = EXCLUDED.content, instance_name = EXCLUDED.instance_name
        """)
      guard stored > 0 else { throw Bounds.tooMany("account data", Bounds.globalCount) }
      if let ignored { try Self.replaceIgnored(txn, by: user, with: ignored, invalidator) }
    }
  }

  /// Stores a piece of account data for one room, replacing the one of the same type.
  ///
  /// - Returns: the stream id of the change.
  /// - Throws: 413 and 400 for what is too large or too much.
  public func setRoom(_ user: UserID, room: RoomID, type: Text, content: JSONValue) async throws -> Int64 {
    try Bounds.check(type, content, Bounds.roomSize)
    let (json, instanceName) = (JSON(content).encodedText, writer.instanceName)
    return try await writing(AccountDataRow(userID: user, roomID: room, type: type)) { txn, streamID in
      let stored = try txn.execute(
        """
        INSERT INTO room_account_data (user_id, room_id, account_data_type, stream_id, content, instance_name)
        SELECT \(user.rawValue), \(room.rawValue), \(type), \(streamID)::bigint, \(json), \(instanceName)
        WHERE EXISTS (SELECT 1 FROM room_account_data
            WHERE user_id = \(user.rawValue) AND room_id = \(room.rawValue) AND account_data_type = \(type))
          OR \(Bounds.roomCount)::bigint > (SELECT count(*) FROM room_account_data WHERE user_id = \(user.rawValue))
        ON CONFLICT (user_id, room_id, account_data_type)
        DO UPDATE SET stream_id = EXCLUDED.stream_id, content = EXCLUDED.content, instance_name = EXCLUDED.instance_name
        """)
      guard stored > 0 else { throw Bounds.tooMany("account data", Bounds.roomCount) }
    }
  }

  /// Empties a piece of global account data, which counts as its deletion (MSC3391): clients that sync learn of it by the empty content.
  ///
  /// - Returns: the stream id of the change; nil when there was nothing to delete.
  public func removeGlobal(_ user: UserID, type: Text) async throws -> Int64? {
    let (invalidator, instanceName) = (invalidator, writer.instanceName)
    return try await emptying(AccountDataRow(userID: user, roomID: nil, type: type)) { txn, streamID in
      let emptied = try txn.execute(
        """
        UPDATE account_data SET stream_id = \(streamID)::bigint, content = '{}', instance_name = \(instanceName)
        WHERE user_id = \(user.rawValue) AND account_data_type = \(type) AND content <> '{}'
        """)
      guard emptied > 0 else { return false }
      if type == Self.ignoredUserList { try Self.replaceIgnored(txn, by: user, with: [], invalidator) }
      return true
    }
  }

  /// Empties a piece of account data of a room; see ``removeGlobal(_:type:)``.
  ///
  /// - Returns: the stream id of the change; nil when there was nothing to delete.
  public func removeRoom(_ user: UserID, room: RoomID, type: Text) async throws -> Int64? {
    let instanceName = writer.instanceName
    return try await emptying(AccountDataRow(userID: user, roomID: room, type: type)) { txn, streamID in
      try txn.execute(
        """
        UPDATE room_account_data SET stream_id = \(streamID)::bigint, content = '{}', instance_name = \(instanceName)
        WHERE user_id = \(user.rawValue) AND room_id = \(room.rawValue) AND account_data_type = \(type)
          AND content <> '{}'
        """) > 0
    }
  }

  /// Stores a tag of a room, replacing the one of the same name.
  ///
  /// - Returns: the stream id of the change.
  /// - Throws: 413 and 400 for what is too large or too much.
  public func setTag(_ user: UserID, room: RoomID, tag: Text, content: JSONValue) async throws -> Int64 {
    try Bounds.check(tag, content, Bounds.roomSize)
    let (json, instanceName) = (JSON(content).encodedText, writer.instanceName)
    return try await writing(AccountDataRow(userID: user, roomID: room, type: "m.tag")) { txn, streamID in
      let stored = try txn.execute(
        """
        INSERT INTO room_tags (user_id, room_id, tag, content)
        SELECT \(user.rawValue), \(room.rawValue), \(tag), \(json)
        WHERE \(Bounds.tagCount)::bigint > (SELECT count(*) FROM room_tags
          WHERE user_id = \(user.rawValue) AND room_id = \(room.rawValue) AND tag <> \(tag))
        ON CONFLICT (user_id, room_id, tag) DO UPDATE SET content = EXCLUDED.content
        """)
      guard stored > 0 else { throw Bounds.tooMany("tagging", Bounds.tagCount) }
      Self.enqueueTagRevision(txn, user, room, streamID, instanceName)
    }
  }

  /// Removes a tag of a room; that it does not exist is no error.
  ///
  /// - Returns: the stream id of the change.
  public func removeTag(_ user: UserID, room: RoomID, tag: Text) async throws -> Int64 {
    let instanceName = writer.instanceName
    return try await writing(AccountDataRow(userID: user, roomID: room, type: "m.tag")) { txn, streamID in
      txn.enqueue(
        """
        DELETE FROM room_tags
        WHERE user_id = \(user.rawValue) AND room_id = \(room.rawValue) AND tag = \(tag)
        """)
      Self.enqueueTagRevision(txn, user, room, streamID, instanceName)
    }
  }

  /// Runs a write under a fresh stream id. Memory forgets the user before the position advances, so that no reader can combine
  /// the new position with the old data.
  private func writing(
    _ row: AccountDataRow, _ body: @escaping @Sendable (Transaction, Int64) throws -> Void
  ) async throws -> Int64 {
    try await writer.write { [self] streamID in
      try await database.transaction("write_account_data") { try body($0, streamID) }
      noteChange(of: row.userID, at: streamID)
      return (streamID, [.accountData(row)])
    }
  }

  /// Runs a write that may find nothing to do; then no row is published.
  private func emptying(
    _ row: AccountDataRow, _ body: @escaping @Sendable (Transaction, Int64) throws -> Bool
  ) async throws -> Int64? {
    try await writer.write { [self] streamID -> (result: Int64?, rows: [StreamRow]) in
      guard try await database.transaction("empty_account_data", { try body($0, streamID) }) else { return (nil, []) }
      noteChange(of: row.userID, at: streamID)
      return (streamID, [.accountData(row)])
    }
  }

  private static func enqueueTagRevision(
    _ txn: Transaction, _ user: UserID, _ room: RoomID, _ streamID: Int64, _ instanceName: Text
  ) {
    txn.enqueue(
      """
      INSERT INTO room_tags_revisions (user_id, room_id, stream_id, instance_name)
      VALUES (\(user.rawValue), \(room.rawValue), \(streamID), \(instanceName))
      ON CONFLICT (user_id, room_id)
      DO UPDATE SET stream_id = EXCLUDED.stream_id, instance_name = EXCLUDED.instance_name
      """)
  }

  /// Reads the users named in `m.ignored_user_list`; content of another shape ignores nobody, as on Synapse.
  private static func ignoredUsers(in content: JSONValue, by user: UserID) throws(MatrixError) -> Set<Text> {
    guard let members = content["ignored_users"]?.members else { return [] }
    let ignored = Set(members.map(\.key))
    guard !ignored.contains(user.rawValue) else { throw .invalidParam("You cannot ignore yourself") }
    guard ignored.count <= Bounds.ignoredCount else { throw Bounds.tooMany("ignoring", Bounds.ignoredCount) }
    return ignored
  }

  private static func replaceIgnored(
    _ txn: Transaction, by user: UserID, with ignored: Set<Text>, _ invalidator: CacheInvalidator
  ) throws {
    let rows = try txn.query("SELECT ignored_user_id FROM ignored_users WHERE ignorer_user_id = \(user.rawValue)")
    let before = Set(try rows.map { try $0.get(0, as: Text.self) })
    let changed = before.symmetricDifference(ignored)
    guard !changed.isEmpty else { return }
    txn.enqueue(
      """
      DELETE FROM ignored_users
      WHERE ignorer_user_id = \(user.rawValue) AND ignored_user_id = ANY(\(Array(before.subtracting(ignored)))::text[])
      """)
    txn.enqueue(
      """
      INSERT INTO ignored_users (ignorer_user_id, ignored_user_id)
      SELECT \(user.rawValue), u FROM unnest(\(Array(ignored.subtracting(before)))::text[]) AS u
      """)
    // Each is a row that every process receives: beyond some, one that makes all stale costs less than their number.
    var items =
      changed.count > 100
      ? [CacheInvalidation("ignored_by", nil)] : changed.sorted().map { CacheInvalidation("ignored_by", [$0]) }
    items.append(CacheInvalidation("ignored_users", [user.rawValue]))
    try invalidator.enqueue(items, in: txn)
  }
}

extension JSON {
  /// The compact text form, for columns of type text.
  var encodedText: Text { Text(decoding: encoded, as: UTF8.self) }
}
