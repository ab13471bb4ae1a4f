import MatrixEvents
import MatrixPrimitives
import Postgres

/// The user directory: who may be found by whom.
///
/// `users_in_public_rooms` names those whom everybody finds, `users_who_share_private_rooms` for each local user those who are in a private room
/// with them, `user_directory` and `user_directory_search` what is shown of all of them and found. The first two follow from the current state of the rooms, so
/// every statement here makes rows agree with it: done twice, or by Synapse in between, it changes nothing more.
public final class UserDirectoryStore: Sendable {
  /// A user and a room in which the user's place in the directory may have changed.
  public struct Member: Sendable, Hashable {
    /// The room.
    public let roomID: RoomID
    /// The user, of this server or another.
    public let userID: UserID

    /// Makes a pair.
    public init(roomID: RoomID, userID: UserID) {
      self.roomID = roomID
      self.userID = userID
    }
  }

  /// The number of members whose pairs with all others are written in one statement.
  static let membersAtOnce = 20
  /// The number of pairs that are removed in one statement.
  static let removedAtOnce = 20_000

  let database: PostgresClient
  let serverName: Text
  private let events: EventStore
  private let state: StateStore
  /// What ends the identifiers of local users.
  let suffix: Text

  init(_ context: StoreContext, events: EventStore, state: StateStore) {
    database = context.database
    serverName = context.config.serverName
    suffix = ":\(serverName)"
    self.events = events
    self.state = state
  }

  // MARK: Position

  /// Reads up to which point of the events stream the rooms are in the directory; nil when it has to be filled first.
  public func position() async throws -> Int64? {
    try await database.run("SELECT stream_id FROM user_directory_stream_pos").first?.get(0, as: Int64?.self)
  }

  /// Moves the position, unless somebody else has moved it.
  ///
  /// - Returns: whether it was where it was thought to be.
  public func advance(from old: Int64, to new: Int64) async throws -> Bool {
    // A position that a crash of the database takes back is one from which rows are made to agree once more.
    try await database.transaction("update_user_directory_stream_pos", isolation: .readCommitted) { txn in
      txn.enqueue("SET LOCAL synchronous_commit TO off")
      return try txn.execute(
        "UPDATE user_directory_stream_pos SET stream_id = \(new)::bigint WHERE stream_id = \(old)::bigint") == 1
    }
  }

  // MARK: Openness

  /// Returns for each room whether everybody may find its members: anybody may join, or read its history.
  public func openness(of rooms: [RoomID]) async throws -> [RoomID: Bool] {
    let keys = [StateKey(EventType.joinRules, ""), StateKey(EventType.historyVisibility, "")]
    let states = try await state.currentState(rooms: rooms, filter: .keys(keys))
    let texts = try await events.listedTexts(states.values.flatMap { Array($0.values) })
    var open: [RoomID: Bool] = [:]
    for room in rooms {
      let state = states[room] ?? [:]
      let values = keys.map { key in state[key].flatMap { texts[$0]?.exact } }
      open[room] = values.first == "public" || values.last == "world_readable"
    }
    return open
  }

  // MARK: Conditions

  /// Whether a column names a user of this server.
  func isLocal(_ column: SQL) -> SQL { "right(\(column), length(\(suffix)::text)) = \(suffix)" }

  /// Whether a column names a user who may be in the directory: of another server, or one of this server's with nothing against it.
  func isListed(_ column: SQL) -> SQL {
    """
    (NOT \(isLocal(column))
      OR EXISTS (SELECT FROM users WHERE users.name = \(column) AND \(UserDirectoryIndex.isListed)))
    """
  }

  /// Whether the user of one column is joined to the room of another.
  static func isJoined(_ user: SQL, _ room: SQL) -> SQL {
    """
    EXISTS (SELECT FROM current_state_events AS joined WHERE joined.room_id = \(room)
      AND joined.type = 'm.room.member' AND joined.state_key = \(user) AND joined.membership = 'join')
    """
  }

  /// The rows `t(room, member)` of some pairs.
  static func table(_ members: [Member]) -> SQL {
    """
    unnest(\(members.map(\.roomID.rawValue))::text[], \(members.map(\.userID.rawValue))::text[]) AS t(room, member)
    """
  }
}
