import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// The source of the `events` stream: persisted events, events that stopped being outliers, and changes of current
/// state.
final class EventsSource: StreamSource {
  /// A room with this many state changes in one catch-up is announced by one `state-all` row. Synapse's number.
  static let stateAllThreshold = 150

  private let ids: StreamIDGenerator
  private let database: PostgresClient

  init(ids: StreamIDGenerator, database: PostgresClient) {
    self.ids = ids
    self.database = database
  }

  var stream: StreamName { .events }
  var minimalLocalToken: Int64? { ids.minimalLocalToken }

  func currentToken(of instance: Text) -> Int64 { ids.position(of: instance) }

  func advance(_ instance: Text, to token: Int64) { ids.advance(instance, to: token) }

  func updates(of instance: Text, from: Int64, to: Int64, limit: Int) async throws -> StreamUpdates {
    guard from < to else { return StreamUpdates(rows: [], upTo: to, limited: false) }
    let half = max(limit / 2, 1)
    let events = try await database.run(
      """
      SELECT e.stream_ordering, \(Self.columns) FROM events AS e \(Self.joins)
      WHERE e.stream_ordering > \(from)::bigint AND e.stream_ordering <= \(to)::bigint
        AND COALESCE(e.instance_name, 'master') = \(instance)
      ORDER BY e.stream_ordering LIMIT \(Int64(half))::bigint
      """)
    // State changes are read only as far as the events reach, so that a page has one upper bound.
    let isLimited = events.count >= half
    let upTo = isLimited ? try events.last?.get(0, as: Int64.self) ?? to : to
    async let formerOutliers = database.run(
      """
      SELECT o.event_stream_ordering, \(Self.columns)
      FROM ex_outlier_stream AS o JOIN events AS e ON e.event_id = o.event_id \(Self.joins)
      WHERE o.event_stream_ordering > \(from)::bigint AND o.event_stream_ordering <= \(upTo)::bigint
        AND COALESCE(o.instance_name, 'master') = \(instance) ORDER BY 1
      """)
    async let deltas = database.run(
      """
      SELECT stream_id, room_id, type, state_key, event_id FROM current_state_delta_stream
      WHERE stream_id > \(from)::bigint AND stream_id <= \(upTo)::bigint
        AND COALESCE(instance_name, 'master') = \(instance) ORDER BY stream_id
      """)
    var rows = try events.map(Self.event)
    rows += try await formerOutliers.map(Self.event)
    rows += try Self.states(try await deltas)
    rows.sort { ($0.token, Self.rank($0.row)) < ($1.token, Self.rank($1.row)) }
    return StreamUpdates(rows: rows, upTo: upTo, limited: isLimited)
  }

  private static func rank(_ row: StreamRow) -> Int { if case .event = row { 0 } else { 1 } }

  static let columns: SQL = """
    e.event_id, e.room_id, e.type, e.state_key, d.redacts, l.relates_to_id, m.membership,
    x.event_id IS NOT NULL, e.outlier
    """

  static let joins: SQL = """
    LEFT JOIN redactions AS d ON d.event_id = e.event_id
    LEFT JOIN event_relations AS l ON l.event_id = e.event_id
    LEFT JOIN room_memberships AS m ON m.event_id = e.event_id
    LEFT JOIN rejections AS x ON x.event_id = e.event_id
    """

  private static func event(_ row: PostgresRow) throws -> StreamPage.Row {
    let (token, id, room, type, key, redacts, relation, membership, isRejected, isOutlier) = try row.decode(
      Int64.self, Text.self, Text.self, Text.self, Text?.self, Text?.self, Text?.self, Text?.self,
      Bool.self, Bool.self)
    let event = EventsRow.Event(
      eventID: EventID(unchecked: id), roomID: RoomID(unchecked: room), type: type, stateKey: key,
      redacts: redacts.map { EventID(unchecked: $0) }, relatesTo: relation.map { EventID(unchecked: $0) },
      membership: membership, isRejected: isRejected, isOutlier: isOutlier)
    return (token, .event(event))
  }

  private static func states(_ rows: PostgresRows) throws -> [StreamPage.Row] {
    var counts: [Text: Int] = [:]
    var lastTokens: [Text: Int64] = [:]
    for row in rows {
      let room = try row.get(1, as: Text.self)
      counts[room, default: 0] += 1
      lastTokens[room] = try row.get(0, as: Int64.self)
    }
    let crowded = Set(counts.filter { $0.value >= stateAllThreshold }.keys)
    var result: [StreamPage.Row] = []
    for row in rows {
      let (token, room, type, key, event) = try row.decode(
        Int64.self, Text.self, Text.self, Text.self, Text?.self)
      if crowded.contains(room) { continue }
      let state = EventsRow.State(
        roomID: RoomID(unchecked: room), type: type, stateKey: key, eventID: event.map { EventID(unchecked: $0) })
      result.append((token, .eventState(state)))
    }
    for room in crowded.sorted() {
      if let token = lastTokens[room] { result.append((token, .eventStateAll(RoomID(unchecked: room)))) }
    }
    return result
  }
}
