import MatrixEvents
import MatrixPrimitives
import Testing

@Suite struct HistoryVisibilityTests {
  private let user = TestRoom.bob

  @Test(
    arguments: [
      (HistoryVisibility.worldReadable, nil, true, true, false), (.worldReadable, "ban", false, true, false),
      (.shared, nil, false, true, false), (.shared, nil, true, false, false), (.shared, "join", true, true, true),
      (.invited, nil, false, false, false), (.invited, "invite", false, true, false),
      (.invited, "leave", false, false, false),
      (.joined, "invite", false, false, false), (.joined, "join", false, true, true),
      (.joined, "knock", false, false, false),
    ] as [(HistoryVisibility, Text?, Bool, Bool, Bool)])
  func decidesByVisibilityAndMembership(
    _ visibility: HistoryVisibility, _ membership: Text?, _ isPeeking: Bool, _ isAllowed: Bool, _ wasJoined: Bool
  ) throws {
    var room = try TestRoom(.v10)
    let event = try room.make(EventType.message, nil, TestRoom.alice, [:])
    let decision = HistoryVisibility.decide(
      event, for: user, visibility: visibility, membershipAtEvent: membership, isPeeking: isPeeking)
    #expect(decision.isAllowed == isAllowed)
    #expect(decision.wasJoined == wasJoined)
  }

  @Test(
    arguments: [
      ("join", nil, true), ("leave", "join", true), ("leave", "invite", true), ("leave", "ban", false),
      ("ban", "join", true),
      ("ban", nil, false), ("invite", nil, false), ("invite", "join", true),
    ] as [(Text, Text?, Bool)])
  func showsUsersTheirOwnMembershipsByTheBetterOfOldAndNew(
    _ membership: Text, _ previous: Text?, _ isAllowed: Bool
  ) throws {
    var room = try TestRoom(.v10)
    let event = try room.make(EventType.member, user.rawValue, TestRoom.alice, ["membership": .string(membership)])
    let decision = HistoryVisibility.decide(
      event, for: user, visibility: .joined, membershipAtEvent: membership, previousMembership: previous,
      isPeeking: false)
    #expect(decision.isAllowed == isAllowed)
  }

  @Test func takesTheLaxerSideOfAChange() throws {
    var room = try TestRoom(.v10)
    let change = try room.make(EventType.historyVisibility, "", TestRoom.alice, ["history_visibility": "joined"])
    #expect(HistoryVisibility(change) == .joined)
    #expect(HistoryVisibility.effective(for: change, state: .joined, previous: .worldReadable) == .worldReadable)
    #expect(HistoryVisibility.effective(for: change, state: .joined) == .shared)
    let message = try room.make(EventType.message, nil, TestRoom.alice, [:])
    #expect(HistoryVisibility.effective(for: message, state: .joined, previous: .shared) == .joined)
    let odd = try room.make(EventType.historyVisibility, "", TestRoom.alice, ["history_visibility": "odd"])
    #expect(HistoryVisibility(odd) == .shared)
    #expect(HistoryVisibility(nil) == .shared)
    #expect(HistoryVisibility.shared.allowsWithoutMembership(isPeeking: false))
    #expect(!HistoryVisibility.shared.allowsWithoutMembership(isPeeking: true))
    #expect(HistoryVisibility.worldReadable.allowsWithoutMembership(isPeeking: true))
  }
}

@Suite struct ServerACLTests {
  @Test(arguments: [
    (#"{"allow":["*"]}"#, "x.y", true), (#"{}"#, "x", false),
    (#"{"allow":["*"],"allow_ip_literals":false}"#, "1.2.3.4", false),
    (#"{"allow":["*"],"allow_ip_literals":false}"#, "[::1]:80", false),
    (#"{"allow":["*"],"allow_ip_literals":false}"#, "1.2.3", true), (#"{"allow":["*"]}"#, "1.2.3.4", true),
    (#"{"allow":["*"],"deny":["*.evil"]}"#, "a.EVIL", false),
    (#"{"allow":["*"],"deny":["*.evil"]}"#, "a.evil:8448", false),
    (#"{"allow":["?.b"]}"#, "a.b:1", true), (#"{"allow":["a.b:1"]}"#, "a.b:1", true),
    (#"{"allow":["?.b"]}"#, "aa.b", false),
    (#"{"allow":["*",5],"deny":"x"}"#, "a", true), (#"{"allow":"*"}"#, "a", false),
    (#"{"allow":["*"],"deny":["[a]"]}"#, "a", true),
  ])
  func decidesByTheLists(_ content: Text, _ server: Text, _ isAllowed: Bool) throws {
    #expect(ServerACL(content: try JSONValue.parse(content)).allows(server) == isAllowed)
  }
}
