import MatrixEvents
import MatrixPrimitives

/// The measurement of state resolution with the walk over the auth chains, and how it grows with the room and with the
/// dispute.
enum ResolutionBenchmarks {
  static var all: [Benchmark] {
    [
      resolution(.v11, state: 1_000, conflicted: 100, countedCalls: 2),
      resolution(.v11, state: 10_000, conflicted: 100),
      resolution(.v11, state: 50_000, conflicted: 100),
      resolution(.v11, state: 100_000, conflicted: 100),
      resolution(.v11, state: 1_000, conflicted: 1_000),
      resolution(.v11, state: 10_000, conflicted: 1_000),
      resolution(.v11, state: 50_000, conflicted: 1_000),
      resolution(.v11, state: 100_000, conflicted: 1_000),
      resolution(.v11, state: 50_000, conflicted: 10_000),
      resolution(.v11, state: 100_000, conflicted: 100_000),
      resolution(.v12, state: 1_000, conflicted: 100, countedCalls: 2),
      resolution(.v12, state: 50_000, conflicted: 1_000),
      resolution(.v1, state: 1_000, conflicted: 100, countedCalls: 2),
      resolution(.v1, state: 50_000, conflicted: 1_000),
      Benchmark("chain/walk-1000000", unit: "events", items: 1_000_000) {
        let ids = (0..<1_000_000).map { EventID(unchecked: "$\($0)") }
        let before = Dictionary(uniqueKeysWithValues: zip(ids.dropFirst(), ids.map { [$0] }))
        let last = ids.suffix(1)
        return .plain {
          var graph = AuthGraph { before[$0] ?? [] }
          keep(try graph.authChain(of: last).count)
        }
      },
    ]
  }

  private static func resolution(
    _ version: RoomVersion, state: Int, conflicted: Int, countedCalls: Int = 0
  ) -> Benchmark {
    Benchmark(
      "resolution/v\(version)/\(state)-state/\(conflicted)-conflicted", unit: "resolutions",
      countedCalls: countedCalls
    ) {
      let (room, branches) = try fork(version, state: state, conflicted: conflicted)
      return .plain { keep(try resolve(branches, room).count) }
    }
  }

  private static func resolve(_ branches: [StateMap], _ room: SampleRoom) throws -> StateMap {
    let version = room.version
    if version.stateResolution == .v1 {
      return try StateResolution.resolve(version: version, stateSets: branches, events: { room.events[$0] })
    }
    var graph = AuthGraph { room.events[$0]?.authEventsWithCreate ?? [] }
    var subgraph: Set<EventID>?
    if version.stateResolution == .v2Dot1 {
      let ids = StateResolution.separate(branches, version: version).conflicted.values.flatMap { $0 }
      subgraph = try graph.conflictedSubgraph(of: Set(ids))
    }
    return try StateResolution.resolve(
      version: version, stateSets: branches, authChainDifference: try graph.authChainDifference(of: branches),
      conflictedSubgraph: subgraph, events: { room.events[$0] })
  }

  /// Splits a room in two: in each branch the same slots change, a tenth of them memberships by ban or leave, one the power
  /// levels, one the join rules.
  private static func fork(
    _ version: RoomVersion, state: Int, conflicted: Int
  ) throws -> (SampleRoom, [StateMap]) {
    var room = try SampleRoom(version, members: state)
    let levels = room.state[.powerLevels].flatMap { room.events[$0]?.content.json } ?? [:]
    var branches = [room.state, room.state]
    for index in branches.indices {
      var branch = branches[index]
      var own = levels
      own["kick"] = .integer(Int64(index + 1))
      try room.add(EventType.powerLevels, "", room.creator, own, to: &branch)
      try room.add(EventType.joinRules, "", room.creator, ["join_rule": index == 0 ? "public" : "invite"], to: &branch)
      for slot in 0..<max(0, conflicted - 2) {
        let user = SampleRoom.user(slot % state)
        if slot % 10 == 9 {
          let membership: JSON = index == 0 ? "leave" : "ban"
          try room.add(EventType.member, user.rawValue, room.creator, ["membership": membership], to: &branch)
        } else if slot % 2 == 0 {
          let content: JSON = ["membership": "join", "displayname": .string("Branch \(index)")]
          try room.add(EventType.member, user.rawValue, user, content, to: &branch)
        } else {
          try room.add("org.example.note", "\(slot)", user, ["text": .string("Branch \(index)")], to: &branch)
        }
      }
      branches[index] = branch
    }
    let disputed = StateResolution.separate(branches, version: version).conflicted.count
    guard disputed == conflicted else { throw FixtureError(description: "\(disputed) slots are disputed") }
    return (room, branches)
  }
}
