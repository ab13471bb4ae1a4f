import MatrixEvents
import MatrixPrimitives
import Postgres

/// The places of state events in the chain cover of a room's auth graph: tables `event_auth_chains` and
/// `event_auth_chain_links`.
///
/// The cover answers "is B in the auth chain of A?" without a walk. Every state event has a chain and a number in it; a
/// chain is a run in which each event has the one before in its auth chain. Links lead from chain to chain. B (chain b,
/// number n) is in the auth chain of A (chain a, number m) if a = b and n <= m, or if some path of links starts in a at or
/// below m and ends in b at or above n. Synapse describes it in `docs/auth_chain_difference_algorithm.md`.
package struct ChainCover {
  private var places: [(event: Text, place: ChainPlace)] = []
  private var links: [(from: ChainPlace, to: ChainPlace)] = []
  private var postponed: [(event: Text, key: StateKey)] = []
  private var roomID = ""

  /// Makes a cover that adds nothing.
  package init() {}

  /// Works out the places of new state events. One round trip, but for rooms in which events were left over.
  ///
  /// Nothing is added in rooms whose cover is not complete (`rooms.has_auth_chain_index`), nor for events whose auth events
  /// are not here; those are noted in `event_auth_chain_to_calculate` and done later.
  package static func calculate(for events: [Event], roomID: RoomID, in txn: Transaction) throws -> ChainCover {
    var cover = ChainCover()
    cover.roomID = roomID.rawValue
    var graph = ChainGraph(events: events)
    guard try graph.load(roomID: roomID, in: txn) else { return cover }
    cover.postponed = graph.dropEventsWithoutChains()
    let order = graph.orderedEvents()
    for event in order { cover.place(event, &graph) }
    return cover
  }

  private mutating func place(_ event: Text, _ graph: inout ChainGraph) {
    let place = graph.takePlace(for: event)
    places.append((event, place))
    let auth = (graph.authEvents[event] ?? []).compactMap { graph.places[$0] }
    // An auth event that another one leads to needs no link of its own.
    let needed = auth.filter { target in
      target.chain != place.chain && !auth.contains { $0 != target && graph.leads(from: $0, to: target) }
    }
    for target in Set(needed).sorted() {
      links.append((place, target))
      graph.addLink(from: place, to: target)
    }
  }

  /// Writes the places and links.
  package func enqueue(in txn: Transaction) {
    if !postponed.isEmpty {
      txn.enqueue(
        """
        INSERT INTO event_auth_chain_to_calculate (event_id, room_id, type, state_key)
        SELECT q.id, \(roomID), q.type, q.state_key
        FROM unnest(\(postponed.map(\.event))::text[], \(postponed.map(\.key.type))::text[],
          \(postponed.map(\.key.stateKey))::text[]) AS q(id, type, state_key) ON CONFLICT DO NOTHING
        """)
    }
    guard !places.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_auth_chains (event_id, chain_id, sequence_number)
      SELECT * FROM unnest(\(places.map(\.event))::text[], \(places.map(\.place.chain))::bigint[],
        \(places.map(\.place.number))::bigint[])
      """)
    txn.enqueue(
      "DELETE FROM event_auth_chain_to_calculate WHERE event_id = ANY(\(places.map(\.event))::text[])")
    guard !links.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_auth_chain_links
        (origin_chain_id, origin_sequence_number, target_chain_id, target_sequence_number)
      SELECT * FROM unnest(\(links.map(\.from.chain))::bigint[], \(links.map(\.from.number))::bigint[],
        \(links.map(\.to.chain))::bigint[], \(links.map(\.to.number))::bigint[])
      """)
  }
}
