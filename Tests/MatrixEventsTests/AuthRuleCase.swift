import MatrixEvents
import MatrixPrimitives

/// Describes one event that a rule of the specification's "Authorization rules" allows or rejects.
struct AuthRuleCase: Sendable, CustomStringConvertible {
  /// Gives the rule's number on the page of each room version the case is for.
  let numbers: [Int: String]
  let what: String
  let isAllowed: Bool
  /// Prepares the room and gives the reason of a refusal.
  let refusal: @Sendable (inout TestRoom) throws -> String?

  init(
    _ numbers: [Int: String], _ what: String, _ isAllowed: Bool,
    _ refusal: @escaping @Sendable (inout TestRoom) throws -> String?
  ) {
    self.numbers = numbers
    self.what = what
    self.isAllowed = isAllowed
    self.refusal = refusal
  }

  var description: String { "\(numbers[11] ?? numbers[12] ?? numbers[1] ?? numbers[2] ?? ""): \(what)" }

  // MARK: the numbers of a rule from page to page

  private static func numbers(_ parts: (ClosedRange<Int>, String)...) -> [Int: String] {
    var numbers: [Int: String] = [:]
    for (versions, number) in parts { for version in versions { numbers[version] = number } }
    return numbers
  }

  /// Rules on top: from version 6 on one less as the rule on aliases is gone, from 12 on one more.
  static func top(_ number: Int, _ rest: String = "") -> [Int: String] {
    numbers((1...5, "\(number)\(rest)"), (6...11, "\(number - 1)\(rest)"), (12...12, "\(number)\(rest)"))
  }

  /// Rules on memberships: `kind` counts from the rule on joins, which is 5.2 in version 1.
  private static func membership(_ kind: Int, _ rest: String) -> [Int: String] {
    numbers(
      (1...5, "5.\(kind)\(rest)"), (6...7, "4.\(kind)\(rest)"), (8...11, "4.\(kind + 1)\(rest)"),
      (12...12, "5.\(kind + 1)\(rest)"))
  }

  static func join(_ rest: Int) -> [Int: String] { membership(2, ".\(rest)") }
  static func invite(_ rest: String) -> [Int: String] { membership(3, ".\(rest)") }
  static func leave(_ rest: Int) -> [Int: String] { membership(4, ".\(rest)") }
  static func ban(_ rest: Int) -> [Int: String] { membership(5, ".\(rest)") }
  static func knock(_ rest: Int) -> [Int: String] {
    numbers((7...7, "4.6.\(rest)"), (8...11, "4.7.\(rest)"), (12...12, "5.7.\(rest)"))
  }
  static let unknownMembership = numbers(
    (1...5, "5.6"), (6...6, "4.6"), (7...7, "4.7"), (8...11, "4.8"), (12...12, "5.8"))

  /// Joins by the rule `public`, and what no rule allows, moved when restricted joins came.
  static let joinPublic = join(5).merging(numbers((8...11, "4.3.6"), (12...12, "5.3.6"))) { $1 }
  static let joinOtherwise = join(6).merging(numbers((8...11, "4.3.7"), (12...12, "5.3.7"))) { $1 }
  static func joinRestricted(_ rest: Int) -> [Int: String] {
    numbers((8...11, "4.3.5.\(rest)"), (12...12, "5.3.5.\(rest)"))
  }

  /// Rules on power levels, by their number in version 1: version 10 put two before, version 12 one more.
  static func levels(_ number: Int) -> [Int: String] {
    let inVersion12 = number == 1 ? 3 : number + 3
    return numbers(
      (1...5, "10.\(number)"), (6...9, "9.\(number)"), (10...11, "9.\(number + 2)"), (12...12, "10.\(inVersion12)"))
  }
  static func integers(_ number: Int) -> [Int: String] { numbers((10...11, "9.\(number)"), (12...12, "10.\(number)")) }

  static func only(_ versions: ClosedRange<Int>, _ number: String) -> [Int: String] { numbers((versions, number)) }
}

extension AuthRuleCase {
  private static let alice = TestRoom.alice
  private static let bob = TestRoom.bob
  private static let carol = TestRoom.carol

  /// Gives users as power levels may name them: creators of version 12 may not be named.
  private static func users(_ room: TestRoom, _ others: [UserID: Int64]) -> JSON {
    var users: [String: JSON] = room.version.hasCreatorPower ? [:] : [alice.rawValue: 100]
    for (user, level) in others { users[user.rawValue] = .integer(level) }
    return .object(users)
  }

  /// Lets Bob and Carol in and sets levels.
  private static func fill(
    _ room: inout TestRoom, _ others: [UserID: Int64] = [bob: 50, carol: 50], _ more: [String: JSON] = [:]
  ) throws {
    for user in [bob, carol] { try room.setMembership(user, "join") }
    let content = more.merging(["users": users(room, others)]) { $1 }
    try room.add(EventType.powerLevels, "", alice, .object(content))
  }

  private static func rule(_ room: inout TestRoom, _ rule: JSON) throws {
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

  static let others: [AuthRuleCase] = [
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
    AuthRuleCase(integers(1), "a level is a string", false) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["ban": "50"])
    },
    AuthRuleCase(integers(2), "a level of events is a string", false) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["events": ["x": "50"]])
    },
    AuthRuleCase(levels(1), "users are no users", false) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["users": ["nobody": 1]])
    },
    AuthRuleCase(levels(2), "the first levels may be any", true) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["ban": 1000, "users": users(room, [bob: 1000])])
    },
    AuthRuleCase(only(12...12, "10.4"), "the creator is named", false) { room in
      try room.refusal(EventType.powerLevels, "", alice, ["users": [alice.rawValue: 100]])
    },
    AuthRuleCase(levels(3), "a level above the own is set", false) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 50]), "ban": 51])
    },
    AuthRuleCase(levels(4), "an event's level above the own is removed", false) { room in
      try fill(&room, [bob: 50], ["events": ["x": 51]])
      return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 50])])
    },
    AuthRuleCase(levels(5), "an event's level above the own is added", false) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(EventType.powerLevels, "", bob, ["events": ["x": 51], "users": users(room, [bob: 50])])
    },
    AuthRuleCase(only(1...5, "10.5"), "levels of notifications are nobody's concern", true) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(
        EventType.powerLevels, "", bob, ["notifications": ["room": 51], "users": users(room, [bob: 50])])
    },
    AuthRuleCase(levels(5).filter { $0.key >= 6 }, "a notification's level above the own is added", false) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(
        EventType.powerLevels, "", bob, ["notifications": ["room": 51], "users": users(room, [bob: 50])])
    },
    AuthRuleCase(levels(6), "an equal is demoted", false) { room in
      try fill(&room)
      return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 50])])
    },
    AuthRuleCase(levels(8), "one demotes himself", true) { room in
      try fill(&room)
      return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 0, carol: 50])])
    }.at(12, "10.10"),
    AuthRuleCase(levels(7), "somebody is raised above the own level", false) { room in
      try fill(&room, [bob: 50])
      return try room.refusal(EventType.powerLevels, "", bob, ["users": users(room, [bob: 50, carol: 51])])
    },
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

  /// Gives the same case with other numbers from a version on.
  private func from(_ version: Int, _ others: [Int: String]) -> AuthRuleCase {
    AuthRuleCase(numbers.merging(others.filter { $0.key >= version }) { $1 }, what, isAllowed, refusal)
  }

  private func at(_ version: Int, _ number: String) -> AuthRuleCase {
    AuthRuleCase(numbers.merging([version: number]) { $1 }, what, isAllowed, refusal)
  }
}

extension TestRoom {
  fileprivate mutating func refusal(
    redacting target: EventID, by user: UserID, in letIn: (inout TestRoom) throws -> Void
  ) throws -> String? {
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
