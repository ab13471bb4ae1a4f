import MatrixPrimitives
import Postgres

/// Messages, names and topics found by their words (`event_search`), in PostgreSQL's full-text search for English, as Synapse asks it.
public final class SearchStore: Sendable {
  /// A question for events.
  public struct Query: Sendable {
    /// The rooms to look into.
    public var rooms: [RoomID]
    /// The words, in the language of search engines: `"a phrase"`, `or`, `-without`.
    public var term: Text
    /// The members of events to look at, such as `content.body`.
    public var keys: [Text]

    /// Makes a question.
    public init(rooms: [RoomID], term: Text, keys: [Text]) {
      self.rooms = rooms
      // What is stored has spaces in their place.
      self.term = term.replacing(0, with: " ")
      self.keys = keys.filter { !$0.contains(0) }
    }

    fileprivate var words: SQL { "websearch_to_tsquery('english', \(term))" }

    fileprivate var condition: SQL {
      """
      vector @@ \(words) AND room_id = ANY(\(rooms.map(\.rawValue))::text[]) AND key = ANY(\(keys)::text[])
      """
    }
  }

  /// A place among the events that are found, which are ordered by time.
  public struct Place: Sendable, Hashable {
    /// The event's time, in milliseconds.
    public let originServerTS: Int64
    /// The event's place in the stream.
    public let streamOrdering: Int64

    /// Makes a place.
    public init(originServerTS: Int64, streamOrdering: Int64) {
      self.originServerTS = originServerTS
      self.streamOrdering = streamOrdering
    }
  }

  /// An event that was found.
  public struct Match: Sendable, Hashable {
    /// The event.
    public let eventID: EventID
    /// How well it fits.
    public let rank: Double
    /// Its place by time.
    public let place: Place
  }

  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// The greatest number of events that are put in the order of their ranks (Synapse's).
  public static let mostRanked: Int64 = 500

  /// Finds the events that fit best, best first, and the number of all.
  ///
  /// Cost: every event that fits is looked at.
  public func best(_ query: Query) async throws -> (matches: [Match], count: Int64) {
    let sql: SQL = """
      SELECT event_id, rank, COALESCE(origin_server_ts, 0), COALESCE(stream_ordering, 0), count(*) OVER () FROM (
        SELECT event_id, ts_rank_cd(vector, \(query.words)) AS rank, origin_server_ts, stream_ordering
        FROM event_search WHERE \(query.condition)) AS match
      ORDER BY rank DESC, stream_ordering DESC NULLS LAST LIMIT \(Self.mostRanked)::bigint
      """
    let rows = try await ask(sql)
    let matches = try rows.map(Self.match)
    return (matches, try rows.first?.get(4, as: Int64.self) ?? 0)
  }

  /// Finds the newest events that fit.
  ///
  /// - Parameters:
  ///   - place: where the last page ended; nil for the newest of all.
  ///   - limit: the greatest number of events.
  public func newest(_ query: Query, before place: Place?, limit: Int) async throws -> [Match] {
    let bound: SQL =
      if let place {
        """
        AND (origin_server_ts < \(place.originServerTS)::bigint
          OR (origin_server_ts = \(place.originServerTS)::bigint AND stream_ordering < \(place.streamOrdering)::bigint))
        """
      } else { "" }
    let sql: SQL = """
      SELECT event_id, ts_rank_cd(vector, \(query.words)) AS rank, COALESCE(origin_server_ts, 0), COALESCE(stream_ordering, 0)
      FROM event_search WHERE \(query.condition) \(bound)
      ORDER BY origin_server_ts DESC NULLS LAST, stream_ordering DESC NULLS LAST LIMIT \(Int64(limit))::bigint
      """
    let rows = try await ask(sql)
    return try rows.map(Self.match)
  }

  /// Counts the events that fit.
  public func count(_ query: Query) async throws -> Int64 {
    let sql: SQL = "SELECT count(*) FROM event_search WHERE \(query.condition)"
    let rows = try await ask(sql)
    return try rows.first?.get(0, as: Int64.self) ?? 0
  }

  /// Asks, planning for the words. What looks at every event that fits must not hold up those who share a connection, and ends with the request.
  ///
  /// - Throws: `MatrixError` 400 for a term that PostgreSQL cannot read, such as one with too many signs of negation.
  private func ask(_ sql: SQL) async throws -> PostgresRows {
    do {
      return try await database.transaction("search_msgs", isolation: .readCommitted, readOnly: true) {
        try $0.query(sql.uncached())
      }
    } catch let error as PostgresError where error.sqlState == "XX000" || error.sqlState == "54000" {
      throw MatrixError.invalidParam("The search term is too complicated")
    }
  }

  private static func match(_ row: PostgresRow) throws -> Match {
    let (id, rank, time, stream) = try row.decode(Text.self, Double.self, Int64.self, Int64.self)
    return Match(
      eventID: EventID(unchecked: id), rank: rank, place: Place(originServerTS: time, streamOrdering: stream))
  }

  // MARK: Highlights

  /// The longest run of a mark's character that is told from the marks.
  private static let longestRun = 64

  /// Lists the words by which texts are found, in lower case.
  ///
  /// Cost: one statement.
  public func highlights(of term: Text, in texts: [Text]) async throws -> Set<Text> {
    var (runs, marked): ([Int], [Text]) = ([0, 0], [])
    for text in texts {
      let own = [UInt8(ascii: "<"), UInt8(ascii: ">")].map { Self.longestRun(of: $0, in: text) }
      guard own.allSatisfy({ $0 < Self.longestRun }) else { continue }
      for index in own.indices { runs[index] = max(runs[index], own[index]) }
      marked.append(text.replacing(0, with: " "))
    }
    guard !marked.isEmpty else { return [] }
    let start = Text(repeating: "<", count: runs[0] + 1), stop = Text(repeating: ">", count: runs[1] + 1)
    let options: Text = "StartSel=\(start),StopSel=\(stop),MaxFragments=50"
    let sql: SQL = """
      SELECT ts_headline(t, websearch_to_tsquery('english', \(term.replacing(0, with: " "))), \(options))
      FROM unnest(\(marked)::text[]) AS t
      """
    let rows = try await database.transaction("search_highlights", isolation: .readCommitted, readOnly: true) {
      try $0.query(sql)
    }
    var words: Set<Text> = []
    for row in rows {
      var rest = try row.get(0, as: Text.self)
      while let begin = rest.cut(at: start), let end = begin.after.cut(at: stop) {
        words.insert(Text(end.before.string.lowercased()))
        rest = end.after
      }
    }
    return words
  }

  private static func longestRun(of byte: UInt8, in text: Text) -> Int {
    var (longest, current) = (0, 0)
    for other in text.utf8 {
      current = other == byte ? current + 1 : 0
      longest = max(longest, current)
    }
    return longest
  }
}
