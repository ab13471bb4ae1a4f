import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// Lets a request see everything that was committed before it began, though memory follows other processes a few milliseconds behind.
///
/// A client that has been answered by one process may ask another one at once. What is kept in memory there is right up to the position of its
/// stream; so the database is asked for the position of the newest row that concerns the request, and the request waits for that, which it
/// hardly ever has to. Writers pay nothing, and neither does a server of one process.
///
/// Cost: one statement that reads one row of an index.
public struct ReadBarrier: Sendable {
  /// The longest wait: a writer that dies between storing a row and announcing it does so only after its next start.
  private static let longestWait = Duration.seconds(1)

  private let database: PostgresClient
  private let ids: StreamIDs
  private let hub: StreamHub

  init(database: PostgresClient, ids: StreamIDs, hub: StreamHub) {
    self.database = database
    self.ids = ids
    self.hub = hub
  }

  /// Waits for the events of a room, and so for its state and members.
  public func pass(room: RoomID) async throws {
    try await pass(
      .events, ids.events,
      """
      SELECT stream_ordering, COALESCE(instance_name, 'master') FROM events WHERE room_id = \(room.rawValue)
      ORDER BY stream_ordering DESC LIMIT 1
      """)
  }

  /// Waits for a local user's memberships of all rooms.
  public func pass(membershipsOf user: UserID) async throws {
    try await pass(
      .events, ids.events,
      """
      SELECT e.stream_ordering, COALESCE(e.instance_name, 'master')
      FROM local_current_membership AS l JOIN events AS e ON e.event_id = l.event_id
      WHERE l.user_id = \(user.rawValue) ORDER BY l.event_stream_ordering DESC NULLS LAST LIMIT 1
      """)
  }

  /// Waits for a user's account data, tags included.
  public func pass(accountDataOf user: UserID) async throws {
    try await pass(
      .accountData, ids.accountData,
      """
      SELECT stream_id, COALESCE(instance_name, 'master') FROM (
        (SELECT stream_id, instance_name FROM account_data WHERE user_id = \(user.rawValue)
          ORDER BY stream_id DESC LIMIT 1)
        UNION ALL
        (SELECT stream_id, instance_name FROM room_account_data WHERE user_id = \(user.rawValue)
          ORDER BY stream_id DESC LIMIT 1)
        UNION ALL
        (SELECT stream_id, instance_name FROM room_tags_revisions WHERE user_id = \(user.rawValue)
          ORDER BY stream_id DESC LIMIT 1)
      ) AS newest ORDER BY stream_id DESC LIMIT 1
      """)
  }

  /// Waits for a user's push rules.
  public func pass(pushRulesOf user: UserID) async throws {
    try await pass(
      .pushRules, ids.pushRules,
      """
      SELECT stream_id, COALESCE(instance_name, 'master') FROM push_rules_stream WHERE user_id = \(user.rawValue)
      ORDER BY stream_id DESC LIMIT 1
      """)
  }

  /// Waits for a user's presence.
  public func pass(presenceOf user: UserID) async throws {
    try await pass(
      .presence, ids.presence,
      """
      SELECT stream_id, COALESCE(instance_name, 'master') FROM presence_stream WHERE user_id = \(user.rawValue)
      ORDER BY stream_id DESC LIMIT 1
      """)
  }

  private func pass(_ stream: StreamName, _ ids: StreamIDGenerator, _ newest: SQL) async throws {
    guard hub.hasPeers, let row = try await database.read(newest).first else { return }
    let (token, instance) = try row.decode(Int64.self, Text.self)
    guard ids.currentToken < token else { return }
    _ = await hub.waitForPosition(stream, instance: instance, token: token, timeout: Self.longestWait)
  }
}
