import MatrixEvents
import MatrixPrimitives
import Postgres

/// The part of a room's chain cover that new state events touch.
struct ChainGraph {
  /// The auth events of every event that has no place yet.
  private(set) var authEvents: [Text: [Text]] = [:]
  /// The places that are known.
  private(set) var places: [Text: ChainPlace] = [:]
  private var keys: [Text: StateKey] = [:]
  /// The events of the batch; others without a place are left over from before.
  private let batch: Set<Text>
  private var lastNumbers: [Int64: Int64] = [:]
  private var links: [Int64: [(number: Int64, target: ChainPlace)]] = [:]
  private var spareChains: [Int64] = []

  init(events: [Event]) {
    batch = Set(events.map(\.eventID.rawValue))
    for event in events {
      guard let key = event.key else { continue }
      authEvents[event.eventID.rawValue] = event.authEventsWithCreate.map(\.rawValue)
      keys[event.eventID.rawValue] = key
    }
  }

  // MARK: loading

  /// Reads what the new events rest on.
  ///
  /// - Returns: whether the room has a cover and an event needs a place.
  mutating func load(roomID: RoomID, in txn: Transaction) throws -> Bool {
    var missing = Set(authEvents.values.flatMap { $0 }).subtracting(authEvents.keys)
    let new = authEvents.keys.sorted()
    let first = try txn.pipeline(
      [
        "SELECT COALESCE(has_auth_chain_index, false) FROM rooms WHERE room_id = \(roomID.rawValue)",
        """
        SELECT c.event_id, c.type, c.state_key, a.auth_id FROM event_auth_chain_to_calculate AS c
        LEFT JOIN event_auth AS a ON a.event_id = c.event_id WHERE c.room_id = \(roomID.rawValue)
        """,
        "SELECT nextval('event_auth_chain_id') FROM generate_series(1, \(Int64(new.count))::bigint)",
      ] + Self.queries(missing.union(new)))
    guard let flag = first[0].first, try flag.get(0, as: Bool.self) else { return false }
    for row in first[1] {
      let (event, type, key, auth) = try row.decode(Text.self, Text.self, Text.self, Text?.self)
      keys[event] = StateKey(type, key)
      authEvents[event, default: []] += auth.map { [$0] } ?? []
      if let auth, places[auth] == nil { missing.insert(auth) }
    }
    spareChains = try first[2].map { try $0.get(0, as: Int64.self) }
    try absorb(Array(first[3...]))
    guard !authEvents.isEmpty else { return false }
    try loadLeftOvers(missing, in: txn)
    if spareChains.count < authEvents.count {
      let wanted = Int64(authEvents.count - spareChains.count)
      spareChains += try txn.query(
        "SELECT nextval('event_auth_chain_id') FROM generate_series(1, \(wanted)::bigint)"
      ).map { try $0.get(0, as: Int64.self) }
    }
    return true
  }

  /// Reads state events without a place (memberships that came before the room did) and what they rest on.
  private mutating func loadLeftOvers(_ asked: Set<Text>, in txn: Transaction) throws {
    var seen: Set<Text> = []
    var frontier = asked.subtracting(places.keys).subtracting(authEvents.keys)
    while !frontier.isEmpty {
      seen.formUnion(frontier)
      let rows = try txn.query(
        """
        SELECT s.event_id, s.type, s.state_key, a.auth_id FROM state_events AS s
        JOIN events AS e ON e.event_id = s.event_id LEFT JOIN event_auth AS a ON a.event_id = s.event_id
        WHERE s.event_id = ANY(\(frontier.sorted())::text[])
          AND NOT EXISTS (SELECT 1 FROM event_auth_chains AS c WHERE c.event_id = s.event_id)
        """)
      var further: Set<Text> = []
      for row in rows {
        let (event, type, key, auth) = try row.decode(Text.self, Text.self, Text.self, Text?.self)
        keys[event] = StateKey(type, key)
        authEvents[event, default: []] += auth.map { [$0] } ?? []
        if let auth { further.insert(auth) }
      }
      further.subtract(seen)
      further.subtract(authEvents.keys)
      try absorb(try txn.pipeline(Self.queries(further.union(frontier))))
      frontier = further.subtracting(places.keys)
    }
  }

  /// Reads the places of events, the last number of their chains, and all links that can be reached from there.
  private static func queries(_ events: Set<Text>) -> [SQL] {
    let ids = events.sorted()
    return [
      """
      SELECT c.event_id, s.type, s.state_key, c.chain_id, c.sequence_number FROM event_auth_chains AS c
      JOIN state_events AS s ON s.event_id = c.event_id WHERE c.event_id = ANY(\(ids)::text[])
      """,
      """
      SELECT c.chain_id, last.number
      FROM (SELECT DISTINCT chain_id FROM event_auth_chains WHERE event_id = ANY(\(ids)::text[])) AS c
      CROSS JOIN LATERAL (
        SELECT max(sequence_number) AS number FROM event_auth_chains WHERE chain_id = c.chain_id OFFSET 0) AS last
      """,
      AuthChainStore.linksReached(
        from: "SELECT chain_id FROM event_auth_chains WHERE event_id = ANY(\(ids)::text[])"),
    ]
  }

  private mutating func absorb(_ answers: [PostgresRows]) throws {
    guard answers.count == 3 else { return }
    for row in answers[0] {
      let (event, type, key, chain, number) = try row.decode(
        Text.self, Text.self, Text.self, Int64.self, Int64.self)
      keys[event] = StateKey(type, key)
      places[event] = ChainPlace(chain: chain, number: number)
      authEvents[event] = nil
    }
    for row in answers[1] {
      let (chain, last) = try row.decode(Int64.self, Int64.self)
      lastNumbers[chain] = last
    }
    for (origin, target) in try AuthChainStore.links(answers[2]) {
      let link = (number: origin.number, target: target)
      if links[origin.chain]?.contains(where: { $0 == link }) != true { links[origin.chain, default: []].append(link) }
    }
  }

  // MARK: working out

  /// Leaves out events whose auth events are not all here.
  ///
  /// - Returns: those of the batch, which must be done later.
  mutating func dropEventsWithoutChains() -> [(event: Text, key: StateKey)] {
    var dropped: [(event: Text, key: StateKey)] = []
    var isStable = false
    while !isStable {
      isStable = true
      for (event, auth) in authEvents where !auth.allSatisfy({ places[$0] != nil || authEvents[$0] != nil }) {
        authEvents[event] = nil
        isStable = false
        if batch.contains(event), let key = keys[event] { dropped.append((event, key)) }
      }
    }
    return dropped.sorted { $0.event < $1.event }
  }

  /// Lists the events without a place, each after its auth events.
  func orderedEvents() -> [Text] {
    var order: [Text] = []
    var state: [Text: Bool] = [:]  // false: begun, true: done
    for start in authEvents.keys.sorted() {
      var stack = [start]
      while let event = stack.last {
        guard state[event] != true else {
          stack.removeLast()
          continue
        }
        let open =
          state[event] == nil ? (authEvents[event] ?? []).filter { authEvents[$0] != nil && state[$0] == nil } : []
        state[event] = false
        if open.isEmpty {
          state[event] = true
          order.append(event)
          stack.removeLast()
        } else {
          stack += open
        }
      }
    }
    return order
  }

  /// Gives an event its place: after the auth event of the same type and state key if nothing is there yet, else at the
  /// beginning of a new chain.
  mutating func takePlace(for event: Text) -> ChainPlace {
    let key = keys[event]
    let parent = (authEvents[event] ?? []).first { keys[$0] == key }
    var place: ChainPlace?
    if let before = parent.flatMap({ places[$0] }) {
      let next = before.number + 1
      if (lastNumbers[before.chain] ?? 0) < next { place = ChainPlace(chain: before.chain, number: next) }
    }
    let taken = place ?? ChainPlace(chain: spareChains.popLast() ?? 0, number: 1)
    places[event] = taken
    lastNumbers[taken.chain] = taken.number
    return taken
  }

  /// Adds a link.
  mutating func addLink(from: ChainPlace, to: ChainPlace) {
    links[from.chain, default: []].append((from.number, to))
  }

  /// Returns whether `to` is in the auth chain of `from`.
  func leads(from: ChainPlace, to: ChainPlace) -> Bool {
    if from.chain == to.chain { return to.number <= from.number }
    var best: [Int64: Int64] = [from.chain: from.number]
    var stack = [from]
    while let place = stack.popLast() {
      for link in links[place.chain] ?? [] where link.number <= place.number {
        if link.target.chain == to.chain {
          if to.number <= link.target.number { return true }
        } else if link.target.number > best[link.target.chain] ?? 0 {
          best[link.target.chain] = link.target.number
          stack.append(link.target)
        }
      }
    }
    return false
  }
}
