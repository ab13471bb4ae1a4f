import MatrixPrimitives
import Postgres

/// The threads of rooms (`threads`), by their newest events.
extension RelationStore {
  /// The place of a thread in its room's list: that of its newest event.
  public struct ThreadPlace: Sendable, Hashable {
    /// The depth of the newest event.
    public let topological: Int64
    /// The stream ordering of the newest event.
    public let stream: Int64

    /// Names a place.
    public init(topological: Int64, stream: Int64) {
      self.topological = topological
      self.stream = stream
    }
  }

  /// A thread of a room.
  public struct ListedThread: Sendable, Hashable {
    /// The event with which the thread begins; it need not be known here.
    public let root: EventID
    /// The thread's place.
    public let place: ThreadPlace
  }

  /// Reads a page of a room's threads, those with the newest events first.
  ///
  /// - Parameters:
  ///   - before: the place after which the page begins; nil for the newest thread.
  ///   - limit: the greatest number of threads.
  public func threads(of room: RoomID, before: ThreadPlace?, limit: Int) async throws -> [ListedThread] {
    var sql: SQL = """
      SELECT thread_id, topological_ordering, stream_ordering FROM threads WHERE room_id = \(room.rawValue)
      """
    if let before {
      sql = """
        \(sql) AND (topological_ordering, stream_ordering) < (\(before.topological)::bigint, \(before.stream)::bigint)
        """
    }
    let rows = try await database.run(
      "\(sql) ORDER BY topological_ordering DESC, stream_ordering DESC LIMIT \(Int64(limit))::bigint")
    return try rows.map { row in
      let (root, topological, stream) = try row.decode(Text.self, Int64.self, Int64.self)
      return ListedThread(
        root: EventID(unchecked: root), place: ThreadPlace(topological: topological, stream: stream))
    }
  }

  /// Finds the threads into which a user has written.
  ///
  /// - Parameter roots: the events with which the threads begin.
  public func threads(_ roots: [EventID], writtenIntoBy user: UserID) async throws -> Set<EventID> {
    guard !roots.isEmpty else { return [] }
    let rows = try await database.run(
      """
      SELECT q.root FROM unnest(\(roots.map(\.rawValue))::text[]) AS q(root)
      WHERE EXISTS (
        SELECT 1 FROM event_relations AS r JOIN events AS c ON c.event_id = r.event_id
        JOIN events AS p ON p.event_id = r.relates_to_id AND p.room_id = c.room_id
        WHERE r.relates_to_id = q.root AND r.relation_type = 'm.thread' AND c.sender = \(user.rawValue))
      """)
    return Set(try rows.map { EventID(unchecked: try $0.get(0, as: Text.self)) })
  }
}
