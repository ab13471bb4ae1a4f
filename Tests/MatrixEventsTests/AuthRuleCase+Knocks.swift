import Crypto
import MatrixEvents
import MatrixPrimitives

extension AuthRuleCase {
  static let knocksAndRestrictedJoins: [AuthRuleCase] = [
    AuthRuleCase(top(5, ".1"), "a membership without a state key", false) { room in
      try room.refusal(EventType.member, nil, alice, ["membership": "join"])
    },
    AuthRuleCase(top(5, ".1"), "a member event without a membership", false) { room in
      try room.refusal(EventType.member, alice.rawValue, alice, ["displayname": "Alice"])
    },
    AuthRuleCase(authorised, "the server that is said to have authorised the join has not signed", false) { room in
      try refusalOfSignatures(&room, signedBy: ["b.example"])
    },
    AuthRuleCase(authorised, "the server that is said to have authorised the join has signed", true) { room in
      try refusalOfSignatures(&room, signedBy: ["a.example", "b.example"])
    },
    AuthRuleCase(joinKnock.filter { $0.key < 7 }, "an invited user joins by a rule that is not known yet", false) {
      room in
      try rule(&room, "knock")
      try room.setMembership(bob, "invite", by: alice)
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(joinKnock.filter { $0.key >= 7 }, "an invited user joins a room to knock on", true) { room in
      try rule(&room, "knock")
      try room.setMembership(bob, "invite", by: alice)
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(joinKnock.filter { $0.key >= 7 }, "one who has knocked joins before being let in", false) { room in
      try rule(&room, "knock")
      try room.setMembership(bob, "knock")
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(joinOtherwise.filter { $0.key < 8 }, "a join is authorised before restricted joins came", false) {
      try authorisedJoin(&$0, "restricted")
    },
    AuthRuleCase(joinOtherwise.filter { (8...9).contains($0.key) }, "restricted and to knock on is no rule yet", false)
    { try authorisedJoin(&$0, "knock_restricted") },
    AuthRuleCase(joinRestricted(3).filter { $0.key >= 10 }, "a member authorised a join of a room to knock on", true) {
      try authorisedJoin(&$0, "knock_restricted")
    },
    AuthRuleCase(joinRestricted(1).filter { $0.key >= 10 }, "an invited user joins a room to knock on", true) { room in
      try rule(&room, "knock_restricted")
      try room.setMembership(bob, "invite", by: alice)
      return try room.refusal(of: bob, "join")
    },
    AuthRuleCase(joinRestricted(2), "one who is not in the room authorised the join", false) { room in
      try rule(&room, "restricted")
      return try room.refusal(of: bob, "join", adding: ["join_authorised_via_users_server": .string(carol.rawValue)])
    },
    AuthRuleCase(joinRestricted(2), "what authorised the join is no user", false) { room in
      try rule(&room, "restricted")
      return try room.refusal(of: bob, "join", adding: ["join_authorised_via_users_server": 5])
    },
    AuthRuleCase(leave(1).filter { $0.key >= 7 }, "one who has knocked takes it back", true) { room in
      try rule(&room, "knock")
      try room.setMembership(bob, "knock")
      return try room.refusal(of: bob, "leave")
    },
    AuthRuleCase(leave(1), "an invited user declines", true) { room in
      try room.setMembership(bob, "invite", by: alice)
      return try room.refusal(of: bob, "leave")
    },
    AuthRuleCase(leave(1), "a banned user leaves", false) { room in
      try room.setMembership(bob, "ban", by: alice)
      return try room.refusal(of: bob, "leave")
    },
    AuthRuleCase(unknownMembership.filter { $0.key < 7 }, "nobody can knock yet", false) { room in
      try rule(&room, "knock")
      return try room.refusal(of: bob, "knock")
    },
    AuthRuleCase(knock(1).filter { $0.key < 10 }, "a stranger knocks by a rule that is not known yet", false) { room in
      try rule(&room, "knock_restricted")
      return try room.refusal(of: bob, "knock")
    },
    AuthRuleCase(knock(3).filter { $0.key >= 10 }, "a stranger knocks on a restricted room", true) { room in
      try rule(&room, "knock_restricted")
      return try room.refusal(of: bob, "knock")
    },
    AuthRuleCase(knock(3), "one who has left knocks", true) { room in
      try rule(&room, "knock")
      try room.setMembership(bob, "leave")
      return try room.refusal(of: bob, "knock")
    },
    AuthRuleCase(knock(4), "a banned user knocks", false) { room in
      try rule(&room, "knock")
      try room.setMembership(bob, "ban", by: alice)
      return try room.refusal(of: bob, "knock")
    },
    AuthRuleCase(knock(4), "a member knocks", false) { room in
      try rule(&room, "knock")
      try room.setMembership(bob, "join")
      return try room.refusal(of: bob, "knock")
    },
  ]

  private static let authorised = only(8...11, "4.2.1").merging(only(12...12, "5.2.1")) { $1 }

  /// The rule `knock` for joins, together with that for `invite`.
  private static let joinKnock = joinOtherwise.filter { $0.key < 7 }.merging(join(4).filter { $0.key >= 7 }) { $1 }

  private static func authorisedJoin(_ room: inout TestRoom, _ joinRule: JSON) throws -> Text? {
    try rule(&room, joinRule)
    return try room.refusal(of: bob, "join", adding: ["join_authorised_via_users_server": .string(alice.rawValue)])
  }

  /// Signs Bob's join, which Alice's server authorised, and checks what signatures it has to have.
  private static func refusalOfSignatures(_ room: inout TestRoom, signedBy servers: [Text]) throws -> Text? {
    let content: JSON = ["membership": "join", "join_authorised_via_users_server": .string(alice.rawValue)]
    var json = try room.make(EventType.member, bob.rawValue, bob, content).json.json
    let signature = try TestRoom.signer.signature(ofEvent: try json.document(), version: room.version)
    for server in servers { json["signatures"]?[server] = [TestRoom.signer.keyID: .string(signature)] }
    let publicKey = try Curve25519.Signing.PublicKey(
      rawRepresentation: UnpaddedBase64.decode(TestRoom.signer.publicKey) ?? [])
    let keys = ["a.example", "b.example"].map {
      VerifyKey(serverName: $0, keyID: TestRoom.signer.keyID, publicKey: publicKey, validUntilTS: Int64.max)
    }
    do {
      let event = try Event.parse(try json.document(), version: room.version)
      try EventVerification.checkSignatures(of: event, keys: keys, now: room.time)
      return nil
    } catch let error as EventError {
      return error.message
    }
  }
}
