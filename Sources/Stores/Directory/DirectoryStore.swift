import MatrixEvents
import MatrixPrimitives
import Postgres

/// The tables `room_aliases` and `room_alias_servers`.
public final class DirectoryStore: Sendable {
  /// The room that an alias leads to.
  public struct Association: Sendable {
    /// The room that the alias names.
    public let roomID: RoomID
    /// The servers through which the room may be joined, in no particular order.
    public let servers: [Text]
    /// The user who made the alias; nil when it is not known.
    public let creator: Text?
  }

  private let database: PostgresClient
  private let invalidator: CacheInvalidator

  init(_ context: StoreContext) {
    database = context.database
    invalidator = context.invalidator
  }

  /// Reads where a local alias leads, in one statement; nil when it is not taken.
  public func association(_ alias: RoomAlias) async throws -> Association? {
    let rows = try await database.run(
      """
      SELECT a.room_id, a.creator,
        ARRAY(SELECT s.server FROM room_alias_servers AS s WHERE s.room_alias = a.room_alias)
      FROM room_aliases AS a WHERE a.room_alias = \(alias.rawValue)
      """)
    guard let row = rows.first else { return nil }
    let (roomID, creator, servers) = try row.decode(Text.self, Text?.self, [Text].self)
    return Association(roomID: RoomID(unchecked: roomID), servers: servers, creator: creator)
  }

  /// Lists the local aliases of a room, sorted.
  public func aliases(of roomID: RoomID) async throws -> [Text] {
    let rows = try await database.run(
      "SELECT room_alias FROM room_aliases WHERE room_id = \(roomID.rawValue) ORDER BY room_alias")
    return try rows.map { try $0.get(0, as: Text.self) }
  }

  /// The greatest number of a room's aliases on this server.
  private static let mostAliases = 1_000

  /// Takes an alias for a room.
  ///
  /// - Throws: `MatrixError` 409 `M_UNKNOWN`, as Synapse answers, when the alias is taken already; 400 when the room has too many.
  public func create(_ alias: RoomAlias, roomID: RoomID, servers: [Text], creator: UserID) async throws {
    do {
      try await invalidator.withInvalidations(
        "create_room_alias_association", isolation: .readCommitted, [Self.invalidation(roomID.rawValue)]
      ) { txn in
        let stored = try txn.execute(
          """
          INSERT INTO room_aliases (room_alias, room_id, creator)
          SELECT \(alias.rawValue), \(roomID.rawValue), \(creator.rawValue)
          WHERE (SELECT count(*) FROM room_aliases WHERE room_id = \(roomID.rawValue)) < \(Self.mostAliases)::bigint
          """)
        guard stored > 0 else {
          throw MatrixError.unknown("The room has too many aliases (at most \(Self.mostAliases))", status: 400)
        }
        txn.enqueue(
          """
          INSERT INTO room_alias_servers (room_alias, server)
          SELECT \(alias.rawValue), s FROM unnest(\(servers)::text[]) AS s
          """)
      }
    } catch let error as PostgresError where error.isUniqueViolation {
      throw MatrixError.unknown("Room alias \(alias.rawValue) already exists", status: 409)
    }
  }

  private static func invalidation(_ roomID: Text) -> CacheInvalidation {
    CacheInvalidation("get_aliases_for_room", [roomID])
  }

  /// Lets all aliases of a room lead to another one.
  public func moveAliases(from old: RoomID, to new: RoomID) async throws {
    try await invalidator.withInvalidations(
      "update_aliases_for_room", isolation: .readCommitted,
      [Self.invalidation(old.rawValue), Self.invalidation(new.rawValue)]
    ) { txn in
      txn.enqueue("UPDATE room_aliases SET room_id = \(new.rawValue) WHERE room_id = \(old.rawValue)")
    }
  }

  /// Gives an alias up.
  ///
  /// - Returns: the room that it named, or nil when it was not taken.
  public func delete(_ alias: RoomAlias) async throws -> RoomID? {
    let invalidator = invalidator
    return try await database.transaction("delete_room_alias", isolation: .readCommitted) { txn -> RoomID? in
      let results = try txn.pipeline([
        "DELETE FROM room_alias_servers WHERE room_alias = \(alias.rawValue)",
        "DELETE FROM room_aliases WHERE room_alias = \(alias.rawValue) RETURNING room_id",
      ])
      guard let row = results.last?.first else { return nil }
      let roomID = try row.get(0, as: Text.self)
      try invalidator.enqueue([Self.invalidation(roomID)], in: txn)
      return RoomID(unchecked: roomID)
    }
  }
}
