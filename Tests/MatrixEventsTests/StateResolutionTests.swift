import MatrixEvents
import MatrixPrimitives
import SeededNumbers
import Testing

@Suite struct StateResolutionTests {
  private static let versions = [RoomVersion.v2, .v6, .v10, .v11, .v12]
  private static let allVersions = [.v1] + versions

  private func resolve(
    _ sets: [StateMap], _ room: TestRoom, rejected: Set<EventID> = []
  ) throws -> StateMap {
    var graph = AuthGraph { room.events[$0]?.authEventsWithCreate ?? [] }
    let (_, conflicted) = StateResolution.separate(sets, version: room.version)
    let ids = Set(conflicted.values.flatMap { $0 })
    return try StateResolution.resolve(
      version: room.version, stateSets: sets, authChainDifference: try graph.authChainDifference(of: sets),
      conflictedSubgraph: try graph.conflictedSubgraph(of: ids), isRejected: { rejected.contains($0) },
      events: { room.events[$0] })
  }

  private func makeRoom(_ version: RoomVersion) throws -> TestRoom {
    var room = try TestRoom(version)
    let users: JSON =
      version.hasCreatorPower ? [TestRoom.bob.rawValue: 50] : [TestRoom.alice.rawValue: 100, TestRoom.bob.rawValue: 50]
    try room.add(EventType.powerLevels, "", TestRoom.alice, ["users": users])
    try room.add(EventType.joinRules, "", TestRoom.alice, ["join_rule": "public"])
    for user in [TestRoom.bob, TestRoom.carol] { try room.setMembership(user, "join") }
    return room
  }

  @Test(arguments: allVersions)
  func keepsWhatAllStatesAgreeOn(_ version: RoomVersion) throws {
    let room = try makeRoom(version)
    #expect(try resolve([room.state, room.state], room) == room.state)
    #expect(try resolve([room.state], room) == room.state)
    #expect(try resolve([], room).isEmpty)
  }

  @Test(arguments: versions)
  func takesTheLaterOfTwoEqualChanges(_ version: RoomVersion) throws {
    var room = try makeRoom(version)
    let first = try room.make(EventType.topic, "", TestRoom.alice, ["topic": "1"])
    let second = try room.make(EventType.topic, "", TestRoom.bob, ["topic": "2"])
    let key = StateKey(EventType.topic)
    let sets = [first, second].map { event in room.state.merging([key: event.eventID]) { _, new in new } }
    #expect(try resolve(sets, room)[key] == second.eventID)
    #expect(try resolve(sets.reversed(), room)[key] == second.eventID)
  }

  @Test(arguments: versions)
  func letsABanWinOverWhatTheBannedUserDidMeanwhile(_ version: RoomVersion) throws {
    var room = try makeRoom(version)
    let ban = try room.make(EventType.member, TestRoom.bob.rawValue, TestRoom.alice, ["membership": "ban"])
    let topic = try room.make(EventType.topic, "", TestRoom.bob, ["topic": "mine"])
    let left = room.state.merging([.member(TestRoom.bob): ban.eventID]) { _, new in new }
    let right = room.state.merging([StateKey(EventType.topic): topic.eventID]) { _, new in new }
    let resolved = try resolve([left, right], room)
    #expect(resolved[.member(TestRoom.bob)] == ban.eventID)
    #expect(resolved[StateKey(EventType.topic)] == nil)
  }

  @Test(arguments: versions)
  func letsTheMorePowerfulChangeOfPowerLevelsComeFirst(_ version: RoomVersion) throws {
    var room = try makeRoom(version)
    let own: [Text: JSON] = version.hasCreatorPower ? [:] : [TestRoom.alice.rawValue: 100]
    func levels(_ users: [Text: JSON]) -> JSON {
      ["users": .object(own.merging(users) { first, _ in first })]
    }
    let byBob = try room.make(
      EventType.powerLevels, "", TestRoom.bob, levels([TestRoom.bob.rawValue: 50, TestRoom.carol.rawValue: 50]))
    let byAlice = try room.make(EventType.powerLevels, "", TestRoom.alice, levels([:]))
    let sets = [byBob, byAlice].map { event in room.state.merging([.powerLevels: event.eventID]) { _, new in new } }
    // Alice's is replayed first and takes Bob's power, so that his is refused.
    #expect(try resolve(sets, room)[.powerLevels] == byAlice.eventID)
  }

  @Test(arguments: versions)
  func neverLetsRejectedEventsIn(_ version: RoomVersion) throws {
    var room = try makeRoom(version)
    let first = try room.make(EventType.topic, "", TestRoom.alice, ["topic": "1"])
    let second = try room.make(EventType.topic, "", TestRoom.alice, ["topic": "2"])
    let key = StateKey(EventType.topic)
    let sets = [first, second].map { event in room.state.merging([key: event.eventID]) { _, new in new } }
    #expect(try resolve(sets, room, rejected: [second.eventID])[key] == first.eventID)
  }

  @Test func survivesEventsThatAreNotFoundAndCycles() throws {
    let a = EventID(unchecked: "$a")
    let b = EventID(unchecked: "$b")
    var graph = AuthGraph { $0 == a ? [b] : [a] }
    #expect(try graph.authChain(of: [a]) == [a, b])
    #expect(try graph.conflictedSubgraph(of: [a]) == [a, b])
    let sets: [StateMap] = [[.powerLevels: a], [.powerLevels: b]]
    let resolved = try StateResolution.resolve(
      version: .v10, stateSets: sets, authChainDifference: [a, b], events: { _ in nil })
    #expect(resolved.isEmpty)
  }

  @Test func sortsLongChainsWithoutRecursion() throws {
    var room = try TestRoom(.v11)
    let before = room.state
    let users: JSON = [TestRoom.alice.rawValue: 100]
    for index in 0..<1500 {
      try room.add(EventType.powerLevels, "", TestRoom.alice, ["users": users, "x": .integer(Int64(index))])
    }
    let last = try #require(room.state[.powerLevels])
    #expect(try resolve([before, room.state], room)[.powerLevels] == last)
  }

  /// Splits a room into branches with random changes, most of them allowed, merges some, and compares with the naive algorithm.
  @Test(arguments: Array(allVersions.flatMap { version in (0..<12).map { (version.identifier, UInt64($0)) } }))
  func agreesWithTheNaiveAlgorithmOnRandomRooms(_ identifier: Text, seed: UInt64) throws {
    let version = try #require(RoomVersion.named(identifier))
    var random = SeededRandom(seed)
    var room = try makeRoom(version)
    var branches = [StateMap](repeating: room.state, count: Int.random(in: 2...4, using: &random))
    for _ in 0..<60 {
      let index = Int.random(in: 0..<branches.count, using: &random)
      if Int.random(in: 0..<25, using: &random) == 0 {
        branches[index] = try resolve([branches[index], branches[0]], room)
        continue
      }
      // Equal times happen, and then the ids decide.
      if Bool.random(using: &random) { room.time = Int64.random(in: 1000...1010, using: &random) }
      room.depth = Int64.random(in: 1...6, using: &random)
      let event = try randomEvent(in: &room, over: branches[index], &random)
      let isAllowed = (try? AuthRules.check(event, state: room.authState(branches[index]))) != nil
      if isAllowed, let key = event.key { branches[index][key] = event.eventID }
    }
    let expected = NaiveResolution(events: room.events, version: version).resolve(branches)
    #expect(try resolve(branches, room) == expected)
    #expect(try resolve(branches.shuffled(using: &random), room) == expected)
    #expect(try resolve(branches + [branches[0]], room) == expected)
    #expect(try resolve([expected, expected], room) == expected)
    var graph = AuthGraph { room.events[$0]?.authEventsWithCreate ?? [] }
    let naive = NaiveResolution(events: room.events, version: version)
    #expect(try graph.authChainDifference(of: branches) == naive.authDifference(branches))
    let conflicted = Set(StateResolution.separate(branches, version: version).conflicted.values.flatMap { $0 })
    #expect(try graph.conflictedSubgraph(of: conflicted) == naive.subgraph(conflicted))
  }

  private func randomEvent(in room: inout TestRoom, over state: StateMap, _ random: inout SeededRandom) throws -> Event
  {
    let users = [TestRoom.alice, TestRoom.bob, TestRoom.carol, TestRoom.dave]
    func user() -> UserID { users.randomElement(using: &random) ?? TestRoom.alice }
    let sender = user()
    switch Int.random(in: 0..<8, using: &random) {
    case 0:
      var levels: [Text: JSON] = [:]
      for user in users where !room.version.hasCreatorPower || user != TestRoom.alice {
        if Bool.random(using: &random) { levels[user.rawValue] = [0, 50, 100].randomElement(using: &random) }
      }
      if !room.version.hasCreatorPower { levels[TestRoom.alice.rawValue] = 100 }
      return try room.make(EventType.powerLevels, "", sender, ["users": .object(levels)], over: state)
    case 1:
      let rule: JSON = Bool.random(using: &random) ? "public" : "invite"
      return try room.make(EventType.joinRules, "", sender, ["join_rule": rule], over: state)
    case 2, 3:
      let membership: JSON = ["ban", "leave", "invite"].randomElement(using: &random) ?? "leave"
      return try room.make(EventType.member, user().rawValue, sender, ["membership": membership], over: state)
    case 4:
      return try room.make(EventType.member, sender.rawValue, sender, ["membership": "join"], over: state)
    default:
      let type = Bool.random(using: &random) ? EventType.topic : EventType.name
      return try room.make(type, "", sender, ["v": .integer(room.time)], over: state)
    }
  }
}
