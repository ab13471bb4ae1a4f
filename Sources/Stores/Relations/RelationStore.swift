import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import Synchronization

/// The table `event_relations`: edits, threads, references and reactions.
public final class RelationStore: Sendable {
  /// A summary of a thread.
  public struct Thread: Sendable {
    /// The number of events in the thread.
    public let count: Int64
    /// The newest event of the thread.
    public let latest: EventID
    /// Whether the user who asked has begun the thread or written into it.
    public let hasParticipated: Bool

    /// Makes a summary.
    public init(count: Int64, latest: EventID, hasParticipated: Bool) {
      self.count = count
      self.latest = latest
      self.hasParticipated = hasParticipated
    }
  }

  /// What is bundled with one event.
  public struct Bundle: Sendable {
    /// The newest edits by the event's sender, newest first; the rules on relations may leave some out.
    public var edits: [EventID] = []
    /// The thread of which the event is the root.
    public var thread: Thread?
    /// The events that refer to the event.
    public var references: [EventID] = []

    /// Makes an empty bundle.
    public init() {}

    /// Whether nothing is bundled.
    public var isEmpty: Bool { edits.isEmpty && thread == nil && references.isEmpty }
  }

  /// One related event and its place.
  public struct Relation: Sendable {
    /// The event.
    public let eventID: EventID
    /// The event's depth.
    public let topological: Int64
    /// The event's stream ordering.
    public let stream: Int64
  }

  /// The greatest number of an event's edits that are returned. Older ones count only if all of these break a rule that
  /// the database does not know of, which their own sender has done then.
  public static let greatestEditCount = 5

  let database: PostgresClient
  private let arrived = Atomic<UInt64>(0)

  /// Makes the store, after that of the events, which drops stale ones first.
  init(_ context: StoreContext, events: EventStore) {
    database = context.database
    let known = events.cache
    context.follow(.events, for: self) { store, batches in
      for batch in batches {
        for case .event(let event) in batch.rows {
          if let target = event.relatesTo { store.noteArrival(target: known.peek(target)) }
        }
      }
    }
    context.follow(.backfill, for: self) { store, batches in
      for batch in batches {
        for case .backfill(let event) in batch.rows {
          if let target = event.relatesTo { store.noteArrival(target: known.peek(target)) }
        }
      }
    }
  }

  /// The number of events with relations that came to this process's knowledge. When it is the same before and after
  /// ``targets(among:)``, an event that is absent from the answer has no relations until one is announced.
  public var arrivals: UInt64 { arrived.load(ordering: .acquiring) }

  /// Takes note of an event that relates to another one, before the position of the stream advances.
  ///
  /// - Parameter target: the other one, as far as it is kept in memory.
  func noteArrival(target: StoredEvent?) {
    arrived.wrappingAdd(1, ordering: .acquiringAndReleasing)
    target?.noteUnrelated(false)
  }

  /// Finds which of the events have relations of a kind that is bundled, regardless of who may see them.
  public func targets(among events: [EventID]) async throws -> Set<EventID> {
    guard !events.isEmpty else { return [] }
    let related = try await database.run(
      """
      SELECT DISTINCT relates_to_id FROM event_relations
      WHERE relates_to_id = ANY(\(events.map(\.rawValue))::text[])
        AND relation_type IN ('m.replace', 'm.thread', 'm.reference')
      """)
    return Set(try related.map { EventID(unchecked: try $0.get(0, as: Text.self)) })
  }

  /// Reads what may be bundled with events for a reader who may see all that relates to them; events without anything are absent.
  ///
  /// What the tables' columns show is checked here: same room, for edits same sender and type. ``RelatedEvent`` has all rules.
  /// - Parameters:
  ///   - events: events of ``targets(among:)``.
  ///   - ignored: users whose events are neither shown nor counted.
  ///
  /// Cost: three statements that share a round trip.
  public func bundles(
    for events: [EventID], reader: UserID, ignoring ignored: Set<UserID>
  ) async throws -> [EventID: Bundle] {
    guard !events.isEmpty else { return [:] }
    let ids = events.map(\.rawValue)
    let ignored = ignored.map(\.rawValue)
    async let edits = database.run(
      """
      SELECT o.event_id, (array_agg(n.event_id ORDER BY n.origin_server_ts DESC, n.event_id DESC))
        [1:\(Int64(Self.greatestEditCount))::int]
      FROM events AS o
      JOIN event_relations AS r ON r.relates_to_id = o.event_id AND r.relation_type = 'm.replace'
      JOIN events AS n ON n.event_id = r.event_id AND n.sender = o.sender AND n.type = o.type AND n.room_id = o.room_id
        AND n.rejection_reason IS NULL
      WHERE o.event_id = ANY(\(ids)::text[])
        AND NOT EXISTS (SELECT 1 FROM redactions AS x WHERE x.redacts = n.event_id)
      GROUP BY o.event_id
      """)
    async let threads = database.run(
      """
      SELECT r.relates_to_id, count(*), (array_agg(c.event_id ORDER BY c.topological_ordering DESC,
        c.stream_ordering DESC))[1], bool_or(\(reader.rawValue) IN (c.sender, p.sender))
      FROM event_relations AS r
      JOIN events AS c ON c.event_id = r.event_id AND c.rejection_reason IS NULL
      JOIN events AS p ON p.event_id = r.relates_to_id AND p.room_id = c.room_id
      WHERE r.relates_to_id = ANY(\(ids)::text[]) AND r.relation_type = 'm.thread'
        AND c.sender <> ALL(\(ignored)::text[])
        AND NOT EXISTS (SELECT 1 FROM redactions AS x WHERE x.redacts = c.event_id)
      GROUP BY r.relates_to_id
      """)
    async let references = database.run(
      """
      SELECT r.relates_to_id, array_agg(c.event_id ORDER BY c.topological_ordering, c.stream_ordering)
      FROM event_relations AS r
      JOIN events AS c ON c.event_id = r.event_id AND c.rejection_reason IS NULL
      JOIN events AS p ON p.event_id = r.relates_to_id AND p.room_id = c.room_id
      WHERE r.relates_to_id = ANY(\(ids)::text[]) AND r.relation_type = 'm.reference'
        AND c.sender <> ALL(\(ignored)::text[])
        AND NOT EXISTS (SELECT 1 FROM redactions AS x WHERE x.redacts = c.event_id)
      GROUP BY r.relates_to_id
      """)
    return try Self.assemble(try await edits, try await threads, try await references)
  }

  /// An event that may be bundled with another one.
  public struct Child: Sendable {
    /// The other event.
    public let parent: EventID
    /// The event.
    public let eventID: EventID
    /// The kind of relation.
    public let kind: Text
  }

  /// The greatest number of events that ``children(of:)`` answers for one event.
  public static let greatestChildCount = 1000

  /// Reads what may be bundled with events one by one, newest first (for edits by time), as far as it is not redacted: for readers who may
  /// not see everything. Edits are by the sender of the event and of its type.
  public func children(of events: [EventID]) async throws -> [Child] {
    guard !events.isEmpty else { return [] }
    let found = try await database.run(
      """
      SELECT p.event_id, c.event_id, c.relation_type
      FROM events AS p CROSS JOIN LATERAL (
        SELECT n.event_id, r.relation_type, n.origin_server_ts, n.topological_ordering, n.stream_ordering
        FROM event_relations AS r JOIN events AS n ON n.event_id = r.event_id
        WHERE r.relates_to_id = p.event_id AND n.room_id = p.room_id AND n.rejection_reason IS NULL
          AND (r.relation_type IN ('m.thread', 'm.reference')
            OR r.relation_type = 'm.replace' AND n.sender = p.sender AND n.type = p.type)
          AND NOT EXISTS (SELECT 1 FROM redactions AS x WHERE x.redacts = n.event_id)
        ORDER BY n.topological_ordering DESC, n.stream_ordering DESC LIMIT \(Int64(Self.greatestChildCount))::bigint
      ) AS c
      WHERE p.event_id = ANY(\(events.map(\.rawValue))::text[])
      ORDER BY c.relation_type = 'm.replace', CASE WHEN c.relation_type = 'm.replace' THEN c.origin_server_ts END DESC,
        CASE WHEN c.relation_type = 'm.replace' THEN c.event_id END DESC, c.topological_ordering DESC,
        c.stream_ordering DESC
      """)
    return try found.map { row in
      let (parent, event, kind) = try row.decode(Text.self, Text.self, Text.self)
      return Child(parent: EventID(unchecked: parent), eventID: EventID(unchecked: event), kind: kind)
    }
  }

  private static func assemble(
    _ edits: PostgresRows, _ threads: PostgresRows, _ references: PostgresRows
  ) throws -> [EventID: Bundle] {
    var bundles: [EventID: Bundle] = [:]
    for row in edits {
      let (target, ids) = try row.decode(Text.self, [Text].self)
      bundles[EventID(unchecked: target), default: Bundle()].edits = ids.map { EventID(unchecked: $0) }
    }
    for row in threads {
      let (root, count, latest, hasParticipated) = try row.decode(
        Text.self, Int64.self, Text.self, Bool.self)
      bundles[EventID(unchecked: root), default: Bundle()].thread = Thread(
        count: count, latest: EventID(unchecked: latest), hasParticipated: hasParticipated)
    }
    for row in references {
      let (target, ids) = try row.decode(Text.self, [Text].self)
      bundles[EventID(unchecked: target), default: Bundle()].references = ids.map { EventID(unchecked: $0) }
    }
    return bundles
  }

  /// Reads a page of the events that relate to an event.
  ///
  /// - Parameters:
  ///   - limit: the greatest number of events, at least 1; one more is read to learn whether there are more.
  ///   - isRecursive: whether relations of relations (down to three steps) count as well.
  public func relations(
    of eventID: EventID, room: RoomID, type: Text?, eventType: Text?, from start: RoomStreamToken?,
    to end: RoomStreamToken?, direction: PageDirection, limit: Int, isRecursive: Bool
  ) async throws -> [Relation] {
    let depth: Int64 = isRecursive ? 3 : 1
    var sql: SQL = """
      WITH RECURSIVE related AS (
        SELECT event_id, relation_type, 1 AS depth FROM event_relations WHERE relates_to_id = \(eventID.rawValue)
        UNION SELECT r.event_id, r.relation_type, p.depth + 1 FROM event_relations AS r
        JOIN related AS p ON p.event_id = r.relates_to_id WHERE p.depth < \(depth)::int
      )
      SELECT DISTINCT e.event_id, e.topological_ordering, e.stream_ordering FROM related AS r
      JOIN events AS e ON e.event_id = r.event_id
      WHERE e.room_id = \(room.rawValue) AND e.rejection_reason IS NULL AND NOT e.outlier
        AND NOT EXISTS (SELECT 1 FROM redactions AS x WHERE x.redacts = e.event_id)
      """
    if let type { sql = "\(sql) AND r.relation_type = \(type)" }
    if let eventType { sql = "\(sql) AND e.type = \(eventType)" }
    let (low, high) = direction == .backward ? (end, start) : (start, end)
    if let low { sql = "\(sql)\(Self.bound(low, isUpper: false))" }
    if let high { sql = "\(sql)\(Self.bound(high, isUpper: true))" }
    sql =
      direction == .backward
      ? "\(sql) ORDER BY e.topological_ordering DESC, e.stream_ordering DESC"
      : "\(sql) ORDER BY e.topological_ordering ASC, e.stream_ordering ASC"
    let rows = try await database.run("\(sql) LIMIT \(Int64(limit) + 1)")
    return try rows.map { row in
      let (id, topological, stream) = try row.decode(Text.self, Int64.self, Int64.self)
      return Relation(eventID: EventID(unchecked: id), topological: topological, stream: stream)
    }
  }

  private static func bound(_ token: RoomStreamToken, isUpper: Bool) -> SQL {
    let comparison: SQL = isUpper ? "<=" : ">"
    guard let topological = token.topological else {
      let stream = isUpper ? token.position.maximum : token.stream
      return " AND e.stream_ordering \(comparison) \(stream)"
    }
    return
      " AND (e.topological_ordering, e.stream_ordering) \(comparison) (\(topological)::bigint, \(token.stream)::bigint)"
  }

  /// Returns whether the user has already sent this reaction to this event.
  public func hasAnnotated(_ eventID: EventID, type: Text, key: Text, sender: UserID) async throws -> Bool {
    let rows = try await database.run(
      """
      SELECT 1 FROM event_relations AS r JOIN events AS e ON e.event_id = r.event_id
      WHERE r.relates_to_id = \(eventID.rawValue) AND r.relation_type = 'm.annotation' AND e.type = \(type)
        AND e.sender = \(sender.rawValue) AND r.aggregation_key = \(key)
        AND NOT EXISTS (SELECT 1 FROM redactions AS x WHERE x.redacts = e.event_id) LIMIT 1
      """)
    return !rows.isEmpty
  }

  /// Returns whether some event relates to this one, which need not be known itself.
  public func isTarget(_ eventID: EventID) async throws -> Bool {
    try await !database.run("SELECT 1 FROM event_relations WHERE relates_to_id = \(eventID.rawValue) LIMIT 1").isEmpty
  }

  /// Reads the thread that an event belongs to: the root of its own relation or of one of its relations' (down to three
  /// steps); nil for the main timeline, where roots of threads are, too, with what relates to them otherwise.
  ///
  /// https://spec.matrix.org/v1.16/client-server-api/#threaded-read-receipts
  public func thread(of eventID: EventID) async throws -> EventID? {
    let rows = try await database.run(
      """
      WITH RECURSIVE chain AS (
        SELECT event_id, relates_to_id, relation_type, 0 AS depth FROM event_relations
        WHERE event_id = \(eventID.rawValue)
        UNION SELECT r.event_id, r.relates_to_id, r.relation_type, c.depth + 1 FROM event_relations AS r
        JOIN chain AS c ON c.relates_to_id = r.event_id WHERE c.depth < 3
      )
      SELECT relates_to_id FROM chain WHERE relation_type = 'm.thread' ORDER BY depth LIMIT 1
      """)
    return try rows.first.map { EventID(unchecked: try $0.get(0, as: Text.self)) }
  }
}
