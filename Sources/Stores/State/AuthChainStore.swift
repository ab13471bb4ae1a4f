import MatrixEvents
import MatrixPrimitives
import Postgres

/// The auth chains: by the chain cover (tables `event_auth_chains` and `event_auth_chain_links`) where events are in
/// it, and by walking the auth events of each event (table `event_auth`) where they are not.
public final class AuthChainStore: Sendable {
  let database: PostgresClient

  /// Makes the store.
  init(_ context: StoreContext) { database = context.database }

  /// What is needed to compare the auth chains of a fork's branches.
  public struct Fork: Sendable {
    /// The chain cover of the disputed events and of whatever they and the shared events lead to.
    public let cover: AuthChainCover
    /// The places that the auth chains of the shared events go through; all that is reached from the shared events is
    /// reached from here or is in no chain that the disputed events lead to.
    public let sharedPlaces: [ChainPlace]
    /// The shared events that are not in the chain cover.
    public let sharedWithoutPlace: [EventID]
  }

  /// Reads the chains of a fork. The cost follows the disputed events and, in one query, the number of shared ones; chains are not walked
  /// as far as the cover goes.
  /// - Parameters:
  ///   - disputed: the events the branches disagree about.
  ///   - shared: the events they agree on.
  ///   - extra: the auth events, implied create event included, of events that are not in the database yet.
  public func fork(
    disputed: Set<EventID>, shared: some Collection<EventID>, extra: [EventID: [EventID]] = [:]
  ) async throws -> Fork {
    let shared = shared.map(\.rawValue)
    let start = Set(disputed).union(extra.values.joined()).subtracting(extra.keys).map(\.rawValue)
    return try await database.transaction("auth_chain_fork", readOnly: true) { txn in
      let sharedWithoutPlace = try Self.ids(try txn.query(Self.withoutPlace(shared)))
      var graph = extra
      var places: [EventID: ChainPlace] = [:]
      let walk = try txn.pipeline([Self.places(start), Self.walk(start + sharedWithoutPlace.map(\.rawValue))])
      for row in walk[0] {
        let (event, chain, number) = try row.decode(Text.self, Int64.self, Int64.self)
        places[EventID(unchecked: event)] = ChainPlace(chain: chain, number: number)
      }
      for row in walk[1] {
        let (event, auth, chain, number) = try row.decode(Text.self, Text.self, Int64?.self, Int64?.self)
        let id = EventID(unchecked: auth)
        graph[EventID(unchecked: event), default: []].append(id)
        if let chain, let number { places[id] = ChainPlace(chain: chain, number: number) }
      }
      var links = try Self.links(Set(places.values.map(\.chain)), in: txn)
      let known = Set(links.flatMap { [$0.origin.chain, $0.target.chain] }).union(places.values.map(\.chain))
      let sharedPlaces = try txn.query(Self.sharedPlaces(shared, in: known)).map { row in
        let (chain, number) = try row.decode(Int64.self, Int64.self)
        return ChainPlace(chain: chain, number: number)
      }
      links += try Self.links(Set(sharedPlaces.map(\.chain)).subtracting(known), in: txn)
      let cover = AuthChainCover(places: places, walked: graph, index: ChainCoverIndex(links: links))
      return Fork(cover: cover, sharedPlaces: sharedPlaces, sharedWithoutPlace: sharedWithoutPlace)
    }
  }

  /// Returns the events of a selection, looking up its runs of places.
  public func events(of selection: AuthChainCover.Selection) async throws -> Set<EventID> {
    guard !selection.ranges.isEmpty else { return selection.events }
    let ranges = Array(selection.ranges)
    let rows = try await read(
      """
      SELECT c.event_id FROM unnest(\(ranges.map(\.chain))::bigint[], \(ranges.map(\.numbers.lowerBound))::bigint[],
        \(ranges.map(\.numbers.upperBound))::bigint[]) AS q(chain, low, high)
      JOIN event_auth_chains AS c ON c.chain_id = q.chain AND c.sequence_number BETWEEN q.low AND q.high
      """)
    return selection.events.union(try Self.ids(rows))
  }

  /// Walks: reads the auth events of all events that can be reached from the given ones, themselves included.
  ///
  /// The steps are subqueries with `OFFSET 0`, here and along chain links, which keeps them at the index: PostgreSQL takes what a
  /// walk reaches for much more than it is, and would else read the whole table at each step.
  ///
  /// - Returns: for every event met its auth events; events without any are absent.
  public func graph(from events: some Sequence<EventID>) async throws -> [EventID: [EventID]] {
    let start = events.map(\.rawValue)
    guard !start.isEmpty else { return [:] }
    let found = try await read(
      """
      WITH RECURSIVE reached(id) AS (
        SELECT * FROM unnest(\(start)::text[])
        UNION
        SELECT auth.id FROM reached
        CROSS JOIN LATERAL (SELECT auth_id AS id FROM event_auth WHERE event_id = reached.id OFFSET 0) AS auth
      )
      SELECT reached.id, auth.id FROM reached
      CROSS JOIN LATERAL (SELECT auth_id AS id FROM event_auth WHERE event_id = reached.id OFFSET 0) AS auth
      """)
    var graph: [EventID: [EventID]] = [:]
    for row in found {
      let (event, auth) = try row.decode(Text.self, Text.self)
      graph[EventID(unchecked: event), default: []].append(EventID(unchecked: auth))
    }
    return graph
  }

  /// Runs a query on a connection of its own: it may take long, and single reads share theirs.
  private func read(_ sql: SQL) async throws -> PostgresRows {
    try await database.transaction("auth_chain", readOnly: true) { try $0.query(sql) }
  }

  // MARK: statements

  private static func ids(_ rows: PostgresRows) throws -> [EventID] {
    try rows.map { EventID(unchecked: try $0.get(0)) }
  }

  private static func places(_ events: [Text]) -> SQL {
    "SELECT event_id, chain_id, sequence_number FROM event_auth_chains WHERE event_id = ANY(\(events)::text[])"
  }

  private static func withoutPlace(_ events: [Text]) -> SQL {
    """
    SELECT q.id FROM unnest(\(events)::text[]) AS q(id)
    WHERE NOT EXISTS (SELECT 1 FROM event_auth_chains AS c WHERE c.event_id = q.id)
    """
  }

  /// Walks from events without a place to the first ones with one; of those that have one at the start nothing is read.
  private static func walk(_ events: [Text]) -> SQL {
    """
    WITH RECURSIVE reached(id) AS (
      SELECT q.id FROM unnest(\(events)::text[]) AS q(id)
      WHERE NOT EXISTS (SELECT 1 FROM event_auth_chains AS c WHERE c.event_id = q.id)
      UNION
      SELECT auth.id FROM reached
      CROSS JOIN LATERAL (SELECT auth_id AS id FROM event_auth WHERE event_id = reached.id OFFSET 0) AS auth
      WHERE NOT EXISTS (SELECT 1 FROM event_auth_chains AS c WHERE c.event_id = auth.id)
    )
    SELECT reached.id, auth.id, c.chain_id, c.sequence_number FROM reached
    CROSS JOIN LATERAL (SELECT auth_id AS id FROM event_auth WHERE event_id = reached.id OFFSET 0) AS auth
    LEFT JOIN event_auth_chains AS c ON c.event_id = auth.id
    """
  }

  /// Finds the places of shared events in known chains, and where their own chains lead to in one step: most of a large room are
  /// memberships, each a chain of its own that leads to the same few places.
  private static func sharedPlaces(_ events: [Text], in known: Set<Int64>) -> SQL {
    """
    WITH shared AS (
      SELECT chain_id, max(sequence_number) AS number FROM event_auth_chains
      WHERE event_id = ANY(\(events)::text[]) GROUP BY chain_id
    )
    SELECT chain_id, number FROM shared WHERE chain_id = ANY(\(Array(known))::bigint[])
    UNION ALL
    SELECT l.target_chain_id, max(l.target_sequence_number) FROM shared
    JOIN event_auth_chain_links AS l ON l.origin_chain_id = shared.chain_id
      AND l.origin_sequence_number <= shared.number
    GROUP BY l.target_chain_id
    """
  }

  private static func links(
    _ chains: Set<Int64>, in txn: Transaction
  ) throws -> [(origin: ChainPlace, target: ChainPlace)] {
    guard !chains.isEmpty else { return [] }
    return try links(try txn.query(linksReached(from: "SELECT * FROM unnest(\(chains.sorted())::bigint[])")))
  }

  /// Asks for all links of the chains that some chains lead to, themselves included; ``links(_:)`` reads the answer.
  ///
  /// - Parameter start: a query for the chains' ids.
  public static func linksReached(from start: SQL) -> SQL {
    """
    WITH RECURSIVE reached(chain) AS (
      \(start)
      UNION
      SELECT link.target FROM reached CROSS JOIN LATERAL (
        SELECT target_chain_id AS target FROM event_auth_chain_links WHERE origin_chain_id = reached.chain OFFSET 0) AS link
    )
    SELECT reached.chain, link.*
    FROM reached CROSS JOIN LATERAL (
      SELECT origin_sequence_number, target_chain_id, target_sequence_number
      FROM event_auth_chain_links WHERE origin_chain_id = reached.chain OFFSET 0) AS link
    """
  }

  /// Reads the answer to ``linksReached(from:)``.
  public static func links(_ rows: PostgresRows) throws -> [(origin: ChainPlace, target: ChainPlace)] {
    try rows.map { row in
      let (chain, number, target, targetNumber) = try row.decode(Int64.self, Int64.self, Int64.self, Int64.self)
      return (ChainPlace(chain: chain, number: number), ChainPlace(chain: target, number: targetNumber))
    }
  }
}
