import MatrixEvents
import MatrixPrimitives

extension AuthRuleCase {
  static let alice = TestRoom.alice
  static let bob = TestRoom.bob
  static let carol = TestRoom.carol

  /// Returns users as power levels may name them: creators of version 12 may not be named.
  static func users(_ room: TestRoom, _ others: [UserID: Int64]) -> JSON {
    var users: [Text: JSON] = room.version.hasCreatorPower ? [:] : [alice.rawValue: 100]
    for (user, level) in others { users[user.rawValue] = .integer(level) }
    return .object(users)
  }

  /// Lets Bob and Carol in and sets levels.
  static func fill(
    _ room: inout TestRoom, _ others: [UserID: Int64] = [bob: 50, carol: 50], _ more: [Text: JSON] = [:]
  ) throws {
    for user in [bob, carol] { try room.setMembership(user, "join") }
    let content = more.merging(["users": users(room, others)]) { $1 }
    try room.add(EventType.powerLevels, "", alice, .object(content))
  }

  static func rule(_ room: inout TestRoom, _ rule: JSON) throws {
    try room.add(EventType.joinRules, "", alice, ["join_rule": rule])
  }

  static let memberships: [AuthRuleCase] = [
    AuthRuleCase(join(1), "the creator joins first", true) { room in
      room.state[.member(alice)] = nil
      let create = room.state[.create].map { [$0] }
      return try room.refusal(
        EventType.member, alice.rawValue, alice, ["membership": "join"], prevEvents: create ?? [])
    },
    AuthRuleCase(join(2), "somebody is made to join", false) { room in
      try rule(&room, "public")
      return try room.refusal(of: bob, "join", by: alice)
    },
    AuthRuleCase(join(3), "a banned user joins", false) { room in
      try rule(&room, "public")
      try room.setMembership(bob, "ban", by: alice)
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(join(4), "an invited user joins", true) { room in
      try rule(&room, "invite")
      try room.setMembership(bob, "invite", by: alice)
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(join(4), "a stranger joins by invite", false) { room in
      try rule(&room, "invite")
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(joinRestricted(1), "an invited user joins a restricted room", true) { room in
      try rule(&room, "restricted")
      try room.setMembership(bob, "invite", by: alice)
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(joinRestricted(2), "nobody authorised the join", false) { room in
      try rule(&room, "restricted")
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(joinRestricted(2), "one who may not invite authorised the join", false) { room in
      try fill(&room, [:], ["invite": 50])
      try rule(&room, "restricted")
      return try room.refusal(
        of: TestRoom.dave, "join", adding: ["join_authorised_via_users_server": .string(carol.rawValue)])
    },
    AuthRuleCase(joinRestricted(3), "a member authorised the join", true) { room in
      try rule(&room, "restricted")
      return try room.refusal(of: bob, "join", adding: ["join_authorised_via_users_server": .string(alice.rawValue)])
    },
    AuthRuleCase(joinPublic, "a stranger joins a public room", true) { room in
      try rule(&room, "public")
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(joinOtherwise, "a stranger joins a private room", false) { room in
      try rule(&room, "private")
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(invite("2"), "one who is not in the room invites", false) { room in
      try room.refusal(of: carol, "invite", by: bob)
    },
    AuthRuleCase(invite("3"), "a member is invited", false) { room in
      try fill(&room)
      return try room.refusal(of: carol, "invite", by: alice)
    },
    AuthRuleCase(invite("3"), "a banned user is invited", false) { room in
      try room.setMembership(bob, "ban", by: alice)
      return try room.refusal(of: bob, "invite", by: alice)
    },
    AuthRuleCase(invite("4"), "one with the power invites", true) { room in
      try fill(&room, [bob: 50], ["invite": 50])
      return try room.refusal(of: TestRoom.dave, "invite", by: bob)
    },
    AuthRuleCase(invite("5"), "one without the power invites", false) { room in
      try fill(&room, [bob: 49], ["invite": 50])
      return try room.refusal(of: TestRoom.dave, "invite", by: bob)
    },
    AuthRuleCase(leave(1), "a member leaves", true) { room in
      try fill(&room)
      return try room.refusal(of: bob, "leave")
    },
    AuthRuleCase(leave(1), "a stranger leaves", false) { room in try room.refusal(of: bob, "leave") },
    AuthRuleCase(leave(2), "a stranger kicks", false) { room in
      try room.refusal(of: alice, "leave", by: bob)
    },
    AuthRuleCase(leave(3), "one without the power to ban unbans", false) { room in
      try fill(&room, [bob: 50], ["ban": 60])
      try room.setMembership(carol, "ban", by: alice)
      return try room.refusal(of: carol, "leave", by: bob)
    },
    AuthRuleCase(leave(4), "the stronger kicks", true) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(of: carol, "leave", by: bob)
    },
    AuthRuleCase(leave(5), "an equal kicks", false) { room in
      try fill(&room)
      return try room.refusal(of: carol, "leave", by: bob)
    },
    AuthRuleCase(ban(1), "a stranger bans", false) { room in try room.refusal(of: alice, "ban", by: bob) },
    AuthRuleCase(ban(2), "the stronger bans", true) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(of: carol, "ban", by: bob)
    },
    AuthRuleCase(ban(3), "an equal bans", false) { room in
      try fill(&room)
      return try room.refusal(of: carol, "ban", by: bob)
    },
    AuthRuleCase(knock(1), "a stranger knocks on an invite-only room", false) { room in
      try rule(&room, "invite")
      return try room.refusal(of: bob, "knock")
    },
    AuthRuleCase(knock(2), "somebody is made to knock", false) { room in
      try rule(&room, "knock")
      return try room.refusal(of: bob, "knock", by: alice)
    },
    AuthRuleCase(knock(3), "a stranger knocks", true) { room in
      try rule(&room, "knock")
      return try room.refusal(of: bob, "knock")
    },
    AuthRuleCase(knock(4), "an invited user knocks", false) { room in
      try rule(&room, "knock")
      try room.setMembership(bob, "invite", by: alice)
      return try room.refusal(of: bob, "knock")
    },
    AuthRuleCase(unknownMembership, "there is no such membership", false) { room in
      try room.refusal(of: alice, "dance")
    },
  ]
}
