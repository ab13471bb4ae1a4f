import MatrixEvents
import MatrixPrimitives
import Postgres
import Stores
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices

@Suite(.serialized) struct ChainCoverTests {
  /// The question, answered from the tables, whether one place leads to another.
  private struct Cover {
    var places: [EventID: (chain: Int64, number: Int64)] = [:]
    var links: [Int64: [(number: Int64, chain: Int64, target: Int64)]] = [:]

    func leads(_ from: EventID, _ to: EventID) -> Bool {
      guard let start = places[from], let end = places[to] else { return false }
      var best: [Int64: Int64] = [start.chain: start.number]
      var stack = [start.chain]
      while let chain = stack.popLast() {
        let number = best[chain] ?? 0
        for link in links[chain] ?? [] where link.number <= number && link.target > best[link.chain] ?? 0 {
          best[link.chain] = link.target
          stack.append(link.chain)
        }
      }
      return best[end.chain].map { end.number <= $0 } ?? false
    }
  }

  private func cover(_ fixture: PersisterFixture) async throws -> Cover {
    var cover = Cover()
    for row in try await fixture.database.run("SELECT event_id, chain_id, sequence_number FROM event_auth_chains") {
      let (event, chain, number) = try row.decode(Text.self, Int64.self, Int64.self)
      cover.places[EventID(unchecked: event)] = (chain, number)
    }
    let links = try await fixture.database.run(
      """
      SELECT origin_chain_id, origin_sequence_number, target_chain_id, target_sequence_number
      FROM event_auth_chain_links
      """)
    for row in links {
      let (chain, number, target, targetNumber) = try row.decode(Int64.self, Int64.self, Int64.self, Int64.self)
      cover.links[chain, default: []].append((number, target, targetNumber))
    }
    return cover
  }

  @Test(arguments: [RoomVersion.v10, .v12])
  func theCoverSaysTheSameAsAWalk(version: RoomVersion) async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom(version: version)
    try await room.join(Users.bob)
    try await room.join(Users.carol)
    try await room.send(Sending("m.room.topic", "", Users.alice, ["topic": "a"]))
    try await room.send(Sending("m.room.power_levels", "", Users.alice, room.powerLevels(Users.alice)))
    try await room.send(Sending("m.room.member", Users.bob.rawValue, Users.bob, ["membership": "leave"]))
    let edge = try await fixture.stores.rooms.prevEventsForNewEvent(room.roomID).map(\.eventID)
    for name in ["x", "y", "z"] as [Text] {
      try await room.send(Sending("m.room.topic", "", Users.alice, ["topic": .string(name)]), after: edge)
    }
    try await room.sendBatch([
      Sending("m.room.member", Users.bob.rawValue, Users.bob, ["membership": "join"]),
      Sending("m.room.join_rules", "", Users.alice, ["join_rule": "invite"]),
      Sending("m.room.member", Users.carol.rawValue, Users.carol, ["membership": "leave"]),
    ])

    let cover = try await cover(fixture)
    let events = try await fixture.lines("SELECT event_id FROM state_events").map { EventID(unchecked: $0) }
    #expect(Set(cover.places.keys) == Set(events))
    let graph = try await fixture.stores.authChains.graph(from: events)
    for event in events {
      let chain = ForkResolver.closure(of: [event], graph: graph)
      for other in events {
        #expect(cover.leads(event, other) == chain.contains(other), "\(event) to \(other)")
      }
    }
    try await compareForks(fixture, events, graph)
    // Without the places of the later half the same must come out by walking to where the cover begins.
    _ = try await fixture.database.transaction("uncover") { txn in
      try txn.query(
        """
        WITH gone AS (
          DELETE FROM event_auth_chains WHERE event_id IN (
            SELECT event_id FROM events ORDER BY stream_ordering DESC LIMIT (SELECT count(*) / 2 FROM events)
          ) RETURNING chain_id, sequence_number
        )
        DELETE FROM event_auth_chain_links AS l USING gone
        WHERE l.origin_chain_id = gone.chain_id AND l.origin_sequence_number = gone.sequence_number RETURNING 1
        """)
    }
    try await compareForks(fixture, events, graph)
  }

  /// Compares the differences and subgraphs of pairs of events, with a third shared, with what walking gives.
  private func compareForks(
    _ fixture: PersisterFixture, _ events: [EventID], _ edges: [EventID: [EventID]]
  ) async throws {
    let store = fixture.stores.authChains
    for (position, event) in events.enumerated() {
      let other = events[(position + 5) % events.count]
      let shared = [events[(position + 2) % events.count]]
      let fork = try await store.fork(disputed: [event, other], shared: shared)
      let branches = [[event], [other]].map { $0 + fork.sharedWithoutPlace }
      let difference = try await store.events(of: fork.cover.difference(of: branches, shared: fork.sharedPlaces))
      let chains = [event, other].map { ForkResolver.closure(of: [$0] + shared, graph: edges) }
      #expect(difference == chains[0].symmetricDifference(chains[1]), "\(event), \(other)")
      var graph = AuthGraph { edges[$0] ?? [] }
      let subgraph = try await store.events(of: fork.cover.subgraph(of: [event, other]))
      #expect(subgraph == (try graph.conflictedSubgraph(of: [event, other])), "\(event), \(other)")
    }
  }

  @Test func anEventWithoutItsAuthEventsIsDoneLater() async throws {
    let fixture = try await PersisterFixture.make()
    let room = try await fixture.makeRoom()
    // An invite that came before the power levels it names: kept as an outlier.
    let (levels, levelsContext) = try await room.make(
      Sending("m.room.power_levels", "", Users.alice, room.powerLevels(Users.alice)))
    let after = try await fixture.state.stateAfter(levelsContext)
    let (invite, inviteContext) = try await room.make(
      Sending("m.room.member", Users.bob.rawValue, Users.alice, ["membership": "invite"]), after: [levels.eventID],
      state: after, depth: levels.depth + 1)
    var metadata = EventMetadata()
    metadata.outOfBandMembership = true
    _ = try await fixture.persister.persist(
      [PersistableEvent(event: invite, context: .outlier, metadata: metadata, isOutlier: true, pushActions: [])],
      roomID: room.roomID)
    #expect(
      try await fixture.lines("SELECT event_id, type, state_key FROM event_auth_chain_to_calculate")
        == ["\(invite.eventID)|m.room.member|@bob:test.example"])
    #expect(
      try await fixture.lines("SELECT membership, has_known_state FROM sliding_sync_membership_snapshots")
        .sorted() == ["invite|f", "join|t"])
    #expect(try await fixture.stores.memberships.rooms(for: Users.bob, memberships: [.invite]).count == 1)
    _ = try await fixture.persister.persist(
      [
        PersistableEvent(event: levels, context: levelsContext, pushActions: []),
        PersistableEvent(event: invite, context: inviteContext, pushActions: []),
      ], roomID: room.roomID)
    #expect(try await fixture.lines("SELECT 1 FROM event_auth_chain_to_calculate").isEmpty)
    let cover = try await cover(fixture)
    #expect(cover.leads(invite.eventID, levels.eventID))
  }
}
