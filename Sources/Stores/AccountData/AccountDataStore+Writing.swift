import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

extension AccountDataStore {
  /// Stores a piece of global account data, replacing the one of the same type.
  ///
  /// - Returns: the stream id of the change.
  /// - Throws: 400 `M_INVALID_PARAM` when the user would ignore themselves.
  public func setGlobal(_ user: UserID, type: String, content: JSONValue) async throws -> Int64 {
    let ignored = try type == Self.ignoredUserList ? Self.ignoredUsers(in: content, by: user) : nil
    let (json, invalidator, instanceName) = (JSON(content).encodedText, invalidator, writer.instanceName)
    return try await writing(AccountDataRow(userID: user, roomID: nil, type: type)) { txn, streamID in
      txn.enqueue(
        """
        INSERT INTO account_data (user_id, account_data_type, stream_id, content, instance_name)
        VALUES (\(user.rawValue), \(type), \(streamID), \(json), \(instanceName))
        ON CONFLICT (user_id, account_data_type)
        DO UPDATE SET stream_id = EXCLUDED.stream_id, content = EXCLUDED.content, instance_name = EXCLUDED.instance_name
        """)
      if let ignored { try Self.replaceIgnored(txn, by: user, with: ignored, invalidator) }
    }
  }

  /// Stores a piece of account data for one room, replacing the one of the same type.
  ///
  /// - Returns: the stream id of the change.
  public func setRoom(_ user: UserID, room: RoomID, type: String, content: JSONValue) async throws -> Int64 {
    let (json, instanceName) = (JSON(content).encodedText, writer.instanceName)
    return try await writing(AccountDataRow(userID: user, roomID: room, type: type)) { txn, streamID in
      txn.enqueue(
        """
        INSERT INTO room_account_data (user_id, room_id, account_data_type, stream_id, content, instance_name)
        VALUES (\(user.rawValue), \(room.rawValue), \(type), \(streamID), \(json), \(instanceName))
        ON CONFLICT (user_id, room_id, account_data_type)
        DO UPDATE SET stream_id = EXCLUDED.stream_id, content = EXCLUDED.content, instance_name = EXCLUDED.instance_name
        """)
    }
  }

  /// Stores a tag of a room, replacing the one of the same name.
  ///
  /// - Returns: the stream id of the change.
  public func setTag(_ user: UserID, room: RoomID, tag: String, content: JSONValue) async throws -> Int64 {
    let (json, instanceName) = (JSON(content).encodedText, writer.instanceName)
    return try await writing(AccountDataRow(userID: user, roomID: room, type: "m.tag")) { txn, streamID in
      txn.enqueue(
        """
        INSERT INTO room_tags (user_id, room_id, tag, content)
        VALUES (\(user.rawValue), \(room.rawValue), \(tag), \(json))
        ON CONFLICT (user_id, room_id, tag) DO UPDATE SET content = EXCLUDED.content
        """)
      Self.enqueueTagRevision(txn, user, room, streamID, instanceName)
    }
  }

  /// Removes a tag of a room; that it does not exist is no error.
  ///
  /// - Returns: the stream id of the change.
  public func removeTag(_ user: UserID, room: RoomID, tag: String) async throws -> Int64 {
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

  private static func enqueueTagRevision(
    _ txn: Transaction, _ user: UserID, _ room: RoomID, _ streamID: Int64, _ instanceName: String
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
  private static func ignoredUsers(in content: JSONValue, by user: UserID) throws(MatrixError) -> Set<String> {
    guard let members = content["ignored_users"]?.members else { return [] }
    let ignored = Set(members.map(\.key))
    guard !ignored.contains(user.rawValue) else { throw .invalidParam("You cannot ignore yourself") }
    return ignored
  }

  private static func replaceIgnored(
    _ txn: Transaction, by user: UserID, with ignored: Set<String>, _ invalidator: CacheInvalidator
  ) throws {
    let rows = try txn.query("SELECT ignored_user_id FROM ignored_users WHERE ignorer_user_id = \(user.rawValue)")
    let before = Set(try rows.map { try $0.get(0, as: String.self) })
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
    var items = changed.sorted().map { CacheInvalidation("ignored_by", [$0]) }
    items.append(CacheInvalidation("ignored_users", [user.rawValue]))
    try invalidator.enqueue(items, in: txn)
  }
}

extension JSON {
  /// Returns the compact text form, for columns of type text.
  var encodedText: String { String(decoding: encoded, as: UTF8.self) }
}
