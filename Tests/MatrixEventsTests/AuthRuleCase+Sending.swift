import MatrixEvents
import MatrixPrimitives

extension AuthRuleCase {
  static let sending: [AuthRuleCase] = [
    AuthRuleCase(only(1...5, "4.1"), "aliases without a state key", false) { room in
      try room.refusal(EventType.aliases, nil, alice, ["aliases": []])
    },
    AuthRuleCase(only(1...5, "4.2"), "aliases of another server", false) { room in
      try room.refusal(EventType.aliases, "b.example", alice, ["aliases": []])
    },
    AuthRuleCase(only(1...5, "4.3"), "aliases of a server that is not in the room", true) { room in
      try room.refusal(EventType.aliases, "b.example", bob, ["aliases": []])
    },
    AuthRuleCase(top(6), "a stranger speaks", false) { room in
      try room.refusal(EventType.message, nil, bob, ["body": "hi"])
    },
    AuthRuleCase(top(7, ".1"), "one without the power to invite makes a third-party invite", false) { room in
      try fill(&room, [:], ["invite": 1])
      return try room.refusal(EventType.thirdPartyInvite, "token", bob, [:])
    },
    AuthRuleCase(top(7, ".1"), "one with the power makes a third-party invite that as state he could not", true) {
      room in
      try fill(&room, [:], ["invite": 0, "state_default": 50])
      return try room.refusal(EventType.thirdPartyInvite, "token", bob, [:])
    },
    AuthRuleCase(top(8), "state takes 50", false) { room in
      try fill(&room, [bob: 49])
      return try room.refusal(EventType.topic, "", bob, [:])
    },
    AuthRuleCase(top(8), "messages take what events says", false) { room in
      try fill(&room, [bob: 9], ["events": [EventType.message: 10]])
      return try room.refusal(EventType.message, nil, bob, [:])
    },
    AuthRuleCase(top(9), "state is written under another user's id", false) { room in
      try room.refusal("org.example.own", bob.rawValue, alice, [:])
    },
    AuthRuleCase(top(12), "state is written under the own id", true) { room in
      try room.refusal("org.example.own", alice.rawValue, alice, [:])
    }.from(3, top(11)),
    AuthRuleCase(only(1...2, "11.1"), "one with the power redacts", true) { room in
      try room.refusal(redacting: EventID(unchecked: "$e:c.example"), by: alice, in: letIn)
    },
    AuthRuleCase(only(1...2, "11.2"), "one redacts events of the own server", true) { room in
      try room.refusal(redacting: EventID(unchecked: "$e:b.example"), by: bob, in: letIn)
    },
    AuthRuleCase(only(1...2, "11.3"), "one redacts events of another server", false) { room in
      try room.refusal(redacting: EventID(unchecked: "$e:c.example"), by: bob, in: letIn)
    },
  ]

  private static let letIn: @Sendable (inout TestRoom) throws -> Void = { room in
    try fill(&room, [:], [:])
  }

  /// Returns the same case with other numbers from a version on.
  private func from(_ version: Int, _ others: [Int: Text]) -> AuthRuleCase {
    AuthRuleCase(numbers.merging(others.filter { $0.key >= version }) { $1 }, what, isAllowed, refusal)
  }
}

extension TestRoom {
  fileprivate mutating func refusal(
    redacting target: EventID, by user: UserID, in letIn: (inout TestRoom) throws -> Void
  ) throws -> Text? {
    try letIn(&self)
    let event = try make(EventType.redaction, nil, user, ["reason": "x"], redacts: target)
    do {
      try AuthRules.check(event, state: authState())
      return nil
    } catch {
      return error.message
    }
  }
}
