import Crypto
import MatrixEvents
import MatrixPrimitives
import Testing

@Suite struct AuthRulesTests {
  private let alice = TestRoom.alice
  private let bob = TestRoom.bob
  private let carol = TestRoom.carol

  private static let modern = [RoomVersion.v6, .v7, .v8, .v9, .v10, .v11, .v12]

  @Test(arguments: modern)
  func letsUsersJoinPublicRoomsOnly(_ version: RoomVersion) throws {
    var room = try TestRoom(version)
    #expect(try room.refusal(of: bob, "join") == "You are not invited to this room.")
    try room.add(EventType.joinRules, "", alice, ["join_rule": "public"])
    #expect(try room.refusal(of: bob, "join") == nil)
    #expect(try room.refusal(of: bob, "join", by: alice) == "You cannot join a room for another user.")
    try room.add(EventType.joinRules, "", alice, ["join_rule": "private"])
    #expect(try room.refusal(of: bob, "join") == "You are not allowed to join this room.")
    try room.setMembership(bob, "ban", by: alice)
    try room.add(EventType.joinRules, "", alice, ["join_rule": "public"])
    #expect(try room.refusal(of: bob, "join") == "You are banned from this room.")
  }

  @Test(arguments: modern)
  func letsInvitedUsersJoinAndDecline(_ version: RoomVersion) throws {
    var room = try TestRoom(version)
    #expect(try room.refusal(of: bob, "invite", by: alice) == nil)
    try room.setMembership(bob, "invite", by: alice)
    #expect(try room.refusal(of: bob, "join") == nil)
    #expect(try room.refusal(of: bob, "leave") == nil)
    #expect(try room.refusal(of: carol, "leave") != nil)
    #expect(try room.refusal(of: carol, "invite", by: bob) != nil)
    try room.setMembership(bob, "join")
    #expect(try room.refusal(of: bob, "invite", by: alice) == "\(bob) is already in the room.")
    try room.add(EventType.powerLevels, "", alice, ["invite": 10, "users": creators(version, 100)])
    #expect(try room.refusal(of: carol, "invite", by: bob) != nil)
    #expect(try room.refusal(of: carol, "invite", by: alice) == nil)
  }

  /// Returns the creator in a users map as far as the version allows.
  private func creators(_ version: RoomVersion, _ level: Int64, adding extra: [Text: JSON] = [:]) -> JSON {
    var users = extra
    if !version.hasCreatorPower { users[alice.rawValue] = .integer(level) }
    return .object(users)
  }

  @Test(arguments: modern)
  func ranksKicksAndBansByPower(_ version: RoomVersion) throws {
    var room = try TestRoom(version)
    for user in [bob, carol] { try room.setMembership(user, "join") }
    try room.add(
      EventType.powerLevels, "", alice,
      ["users": creators(version, 100, adding: [bob.rawValue: 50, carol.rawValue: 50])])
    #expect(try room.refusal(of: carol, "leave", by: bob) != nil)
    #expect(try room.refusal(of: carol, "ban", by: bob) != nil)
    #expect(try room.refusal(of: carol, "leave", by: alice) == nil)
    #expect(try room.refusal(of: carol, "ban", by: alice) == nil)
    #expect(try room.refusal(of: alice, "leave", by: bob) != nil)
    #expect(try room.refusal(of: TestRoom.dave, "ban", by: bob) == nil)
    #expect(try room.refusal(of: TestRoom.dave, "ban", by: TestRoom.dave) != nil)
    try room.add(
      EventType.powerLevels, "", alice,
      ["ban": 60, "kick": 10, "users": creators(version, 100, adding: [bob.rawValue: 50])])
    try room.setMembership(carol, "ban", by: alice)
    #expect(try room.refusal(of: carol, "leave", by: bob)?.contains("unban") == true)
    #expect(try room.refusal(of: carol, "leave") != nil)
    #expect(try room.refusal(of: carol, "leave", by: alice) == nil)
    #expect(try room.refusal(of: carol, "invite", by: alice) == "\(carol) is banned from the room.")
  }

  @Test(arguments: modern)
  func knowsKnockingFromVersion7(_ version: RoomVersion) throws {
    var room = try TestRoom(version)
    try room.add(EventType.joinRules, "", alice, ["join_rule": "knock"])
    #expect((try room.refusal(of: bob, "knock") == nil) == version.allowsKnocking)
    guard version.allowsKnocking else {
      #expect(try room.refusal(of: bob, "join") == "You are not allowed to join this room.")
      return
    }
    #expect(try room.refusal(of: bob, "knock", by: carol) != nil)
    try room.setMembership(bob, "knock")
    #expect(try room.refusal(of: bob, "join") != nil)
    #expect(try room.refusal(of: bob, "leave") == nil)
    #expect(try room.refusal(of: bob, "invite", by: alice) == nil)
    for membership in ["join", "invite", "ban"] {
      try room.setMembership(bob, membership, by: alice)
      #expect(try room.refusal(of: bob, "knock") != nil)
    }
    try room.add(EventType.joinRules, "", alice, ["join_rule": "knock_restricted"])
    #expect((try room.refusal(of: carol, "knock") == nil) == version.allowsKnockRestrictedJoins)
  }

  @Test(arguments: modern)
  func asksRestrictedJoinsForAnAuthorisingUser(_ version: RoomVersion) throws {
    var room = try TestRoom(version)
    try room.add(EventType.joinRules, "", alice, ["join_rule": "restricted", "allow": []])
    let authorised: [Text: JSON] = ["join_authorised_via_users_server": .string(alice.rawValue)]
    #expect((try room.refusal(of: bob, "join", adding: authorised) == nil) == version.allowsRestrictedJoins)
    guard version.allowsRestrictedJoins else { return }
    #expect(try room.refusal(of: bob, "join") != nil)
    #expect(
      try room.refusal(of: bob, "join", adding: ["join_authorised_via_users_server": .string(carol.rawValue)]) != nil)
    #expect(try room.refusal(of: bob, "join", adding: ["join_authorised_via_users_server": 5]) != nil)
    try room.setMembership(carol, "join")
    #expect(
      try room.refusal(of: bob, "join", adding: ["join_authorised_via_users_server": .string(carol.rawValue)]) == nil)
    try room.add(EventType.powerLevels, "", alice, ["invite": 50, "users": creators(version, 100)])
    #expect(
      try room.refusal(of: bob, "join", adding: ["join_authorised_via_users_server": .string(carol.rawValue)]) != nil)
    #expect(try room.refusal(of: bob, "join", adding: authorised) == nil)
    try room.setMembership(bob, "invite", by: alice)
    #expect(try room.refusal(of: bob, "join") == nil)
    try room.setMembership(bob, "join", by: bob)
    #expect(try room.refusal(of: bob, "join") == nil)
    try room.add(EventType.joinRules, "", alice, ["join_rule": "knock_restricted"])
    try room.setMembership(bob, "leave", by: bob)
    #expect((try room.refusal(of: bob, "join", adding: authorised) == nil) == version.allowsKnockRestrictedJoins)
    let event = try room.make(
      EventType.member, bob.rawValue, bob, .object(authorised.merging(["membership": "join"]) { first, _ in first }))
    #expect(AuthRules.requiredSigners(of: event) == ["b.example", "a.example"])
  }

  @Test(arguments: modern)
  func limitsSendingByPower(_ version: RoomVersion) throws {
    var room = try TestRoom(version)
    #expect(try room.refusal(EventType.message, nil, bob, [:]) != nil)
    try room.setMembership(bob, "join")
    #expect(try room.refusal(EventType.message, nil, bob, [:]) == nil)
    #expect(try room.refusal(EventType.name, "", bob, [:]) != nil)
    #expect(try room.refusal(EventType.name, "", alice, [:]) == nil)
    try room.add(
      EventType.powerLevels, "", alice,
      [
        "events": ["m.room.name": 0, "m.special": 60], "events_default": 5, "state_default": 0,
        "users": creators(version, 100),
      ])
    #expect(try room.refusal(EventType.message, nil, bob, [:])?.contains("power level 5") == true)
    #expect(try room.refusal(EventType.name, "", bob, [:]) == nil)
    #expect(try room.refusal("m.special", nil, bob, [:]) != nil)
    #expect(try room.refusal("m.special", nil, alice, [:]) == nil)
    #expect(try room.refusal("x", bob.rawValue, bob, [:]) == nil)
    #expect(try room.refusal("x", alice.rawValue, bob, [:]) != nil)
    #expect(try room.refusal("x", "@", alice, [:]) != nil)
    #expect(try room.refusal(EventType.redaction, nil, bob, ["redacts": "$x"]) != nil)
    #expect(try room.refusal(EventType.thirdPartyInvite, "t", bob, [:]) == nil)
  }

  @Test(arguments: modern)
  func guardsChangesOfPowerLevels(_ version: RoomVersion) throws {
    var room = try TestRoom(version)
    for user in [bob, carol] { try room.setMembership(user, "join") }
    let base: [Text: JSON] = [
      "users": creators(version, 100, adding: [bob.rawValue: 50, carol.rawValue: 50]), "ban": 60,
      "events": ["a": 70, "b": 20], "notifications": ["room": 70], "state_default": 50,
    ]
    try room.add(EventType.powerLevels, "", alice, .object(base))
    func change(_ key: Text, _ value: JSON?) -> JSON {
      var content = base
      content[key] = value
      return .object(content)
    }
    func refused(_ key: Text, _ value: JSON?) throws -> Bool {
      try room.refusal(EventType.powerLevels, "", bob, change(key, value)) != nil
    }
    #expect(try !refused("unrelated", 1))
    #expect(try refused("ban", 40))
    #expect(try refused("ban", nil))
    #expect(try refused("kick", 51))
    #expect(try !refused("kick", 50))
    #expect(try refused("users_default", 51))
    #expect(try refused("events", ["a": 10, "b": 20]))
    #expect(try refused("events", ["b": 20]))
    #expect(try refused("events", ["a": 70, "b": 51]))
    #expect(try !refused("events", ["a": 70, "c": 50]))
    #expect(try refused("notifications", ["room": 10]))
    #expect(try refused("users", creators(version, 100, adding: [bob.rawValue: 50, carol.rawValue: 10])))
    #expect(try refused("users", creators(version, 100, adding: [bob.rawValue: 50])))
    #expect(try refused("users", creators(version, 100, adding: [bob.rawValue: 51, carol.rawValue: 50])))
    #expect(try !refused("users", creators(version, 100, adding: [bob.rawValue: 0, carol.rawValue: 50])))
    #expect(try !refused("users", creators(version, 100, adding: [bob.rawValue: 50, carol.rawValue: 50, "@d:x": 50])))
    #expect(try refused("users", ["not a user": 1]))
    #expect(try refused("users", 5))
    if !version.hasCreatorPower { #expect(try refused("users", [bob.rawValue: 50, carol.rawValue: 50])) }
  }

  @Test(arguments: modern)
  func wantsIntegerPowerLevelsFromVersion10(_ version: RoomVersion) throws {
    var room = try TestRoom(version)
    let contents: [JSON] = [
      ["ban": "50"], ["users": ["@b:x": "50"]], ["events": ["x": "1"]], ["notifications": ["room": " +10 "]],
    ]
    for content in contents {
      #expect(
        (try room.refusal(EventType.powerLevels, "", alice, content) == nil) == !version.requiresIntegerPowerLevels)
    }
    #expect(try room.refusal(EventType.powerLevels, "", alice, ["users": ["@b:x": "abc"]]) != nil)
    #expect(try room.refusal(EventType.powerLevels, "", alice, ["users": ["@b:x": nil]]) != nil)
  }

  @Test func readsOldPowerLevelsLoosely() throws {
    var room = try TestRoom(.v5)
    try room.add(
      EventType.powerLevels, "", alice,
      [
        "ban": " 0060 ", "kick": "+7", "redact": 12.9, "invite": "abc", "users": [bob.rawValue: "-5"],
        "users_default": -1.5,
      ])
    let levels = PowerLevels(room.authState())
    #expect(levels.ban == 60)
    #expect(levels.kick == 7)
    #expect(levels.redact == 12)
    #expect(levels.invite == 0)
    #expect(levels.level(of: bob) == -5)
    #expect(levels.level(of: carol) == -1)
  }

  @Test func putsCreatorsOfVersion12AboveEverybody() throws {
    var room = try TestRoom(.v12, content: ["additional_creators": [.string(bob.rawValue)]])
    for user in [bob, carol] { try room.setMembership(user, "join") }
    try room.add(
      EventType.powerLevels, "", alice, ["users": [carol.rawValue: 100], "state_default": 9_007_199_254_740_991])
    let levels = PowerLevels(room.authState())
    #expect(levels.level(of: alice) == PowerLevels.creatorLevel)
    #expect(levels.level(of: bob) == PowerLevels.creatorLevel)
    #expect(levels.level(of: carol) == 100)
    #expect(try room.refusal(EventType.name, "", bob, [:]) == nil)
    #expect(try room.refusal(EventType.name, "", carol, [:]) != nil)
    #expect(try room.refusal(EventType.powerLevels, "", alice, ["users": [alice.rawValue: 100]]) != nil)
    #expect(try room.refusal(EventType.powerLevels, "", alice, ["users": [bob.rawValue: 0]]) != nil)
    #expect(try room.refusal(of: alice, "leave", by: bob) != nil)
  }

  @Test func checksCreateEvents() throws {
    func refusal(_ version: RoomVersion, _ content: JSON, prev: [EventID] = [], room: Text = "!r:a.example") throws
      -> Bool
    {
      var draft = EventDraft(
        type: EventType.create, stateKey: "", sender: alice, roomID: RoomID(unchecked: room), content: content,
        prevEvents: prev, originServerTS: 1)
      if version.isRoomIDCreateHash { draft.roomID = nil }
      let event = try draft.seal(version: version, signer: TestRoom.signer, serverName: "a.example")
      do {
        try AuthRules.checkStateIndependent(event, authEvents: [])
        return false
      } catch {
        return true
      }
    }
    let creator: JSON = ["creator": .string(alice.rawValue)]
    #expect(try !refusal(.v10, creator))
    #expect(try refusal(.v10, [:]))
    #expect(try !refusal(.v11, [:]))
    #expect(try refusal(.v10, creator, prev: [EventID(unchecked: "$x")]))
    #expect(try refusal(.v10, creator, room: "!r:other"))
    #expect(try refusal(.v11, ["room_version": "99"]))
    #expect(try refusal(.v11, ["room_version": 11]))
    #expect(try !refusal(.v12, ["additional_creators": ["@b:x"]]))
    for bad in [["@b"], [1], "x", ["b:x"], ["@b:dom$ain$.org"], ["@b:x", "@c:"]] as [JSON] {
      #expect(try refusal(.v12, ["additional_creators": bad]))
    }
    #expect(try !refusal(.v11, ["additional_creators": 5]))
  }

  @Test(arguments: modern)
  func checksTheChoiceOfAuthEvents(_ version: RoomVersion) throws {
    var room = try TestRoom(version)
    try room.setMembership(bob, "join")
    let rules = try room.add(EventType.joinRules, "", alice, ["join_rule": "public"])
    let event = try room.make(EventType.message, nil, bob, [:])
    func refusal(_ event: Event, _ cited: [Event], rejected: Set<EventID> = []) -> Text? {
      do {
        try AuthRules.checkStateIndependent(event, authEvents: cited) { rejected.contains($0) }
        return nil
      } catch {
        return error.message
      }
    }
    let cited = event.authEventsWithCreate.compactMap { room.events[$0] }
    #expect(refusal(event, cited) == nil)
    #expect(refusal(event, cited + [rules]) != nil)
    #expect(refusal(event, cited + cited) != nil)
    #expect(refusal(event, cited.filter { !$0.isCreate }) != nil)
    #expect(refusal(event, cited.filter { $0.isCreate }) != nil)
    #expect(refusal(event, cited, rejected: [cited[0].eventID]) != nil)
    #expect(event.authEvents.contains(try #require(room.state[.create])) == !version.isRoomIDCreateHash)
    let other = try TestRoom(version, content: ["x": 1])
    let foreign = other.state.values.compactMap { other.events[$0] }.filter { $0.isCreate }
    if version.isRoomIDCreateHash { #expect(refusal(event, cited.filter { !$0.isCreate } + foreign) != nil) }
  }

  @Test(arguments: modern)
  func keepsOtherServersOutOfUnfederatedRooms(_ version: RoomVersion) throws {
    var room = try TestRoom(version, content: ["m.federate": false])
    try room.add(EventType.joinRules, "", alice, ["join_rule": "public"])
    #expect(try room.refusal(of: bob, "join")?.contains("not federated") == true)
    #expect(try room.refusal(of: bob, "invite", by: alice)?.contains("not federated") == true)
    #expect(try room.refusal(of: TestRoom.dave, "join") == nil)
  }

  @Test func checksThirdPartyInvitesBySignature() throws {
    var room = try TestRoom(.v10)
    let key = Curve25519.Signing.PrivateKey()
    let identityServer = EventSigner(serverName: "id.example", keyID: "ed25519:0", privateKey: key)
    try room.add(
      EventType.thirdPartyInvite, "token", alice,
      ["public_key": "nonsense", "public_keys": [["public_key": .string(identityServer.publicKey)]]])
    let signed = try identityServer.sign(["mxid": .string(bob.rawValue), "token": "token"])
    func refused(_ signed: JSON, of user: UserID, by sender: UserID) throws -> Bool {
      try room.refusal(of: user, "invite", by: sender, adding: ["third_party_invite": ["signed": signed]]) != nil
    }
    #expect(try !refused(signed, of: bob, by: alice))
    #expect(try refused(signed, of: carol, by: alice))
    #expect(try refused(signed, of: bob, by: carol))
    let other = EventSigner(serverName: "id.example", keyID: "ed25519:0", privateKey: Curve25519.Signing.PrivateKey())
    #expect(try refused(try other.sign(["mxid": .string(bob.rawValue), "token": "token"]), of: bob, by: alice))
    #expect(try refused(try identityServer.sign(["mxid": .string(bob.rawValue), "token": "x"]), of: bob, by: alice))
    #expect(try refused(["mxid": .string(bob.rawValue), "token": "token"], of: bob, by: alice))
    #expect(try refused(5, of: bob, by: alice))
    try room.setMembership(bob, "ban", by: alice)
    #expect(try refused(signed, of: bob, by: alice))
  }

  @Test func refusesMalformedMemberships() throws {
    var room = try TestRoom(.v11)
    for content in [[:], ["membership": 1], ["membership": "unknown"]] as [JSON] {
      #expect(try room.refusal(EventType.member, bob.rawValue, bob, content) != nil)
    }
    #expect(try room.refusal(EventType.member, nil, bob, ["membership": "join"]) != nil)
    #expect(try room.refusal(EventType.member, "bob", bob, ["membership": "join"]) != nil)
  }

  @Test func letsOnlyTheCreatorJoinFirst() throws {
    var room = try TestRoom(.v11)
    let create = try #require(room.state[.create])
    room.state = [.create: create]
    #expect(
      try room.refusal(EventType.member, alice.rawValue, alice, ["membership": "join"], prevEvents: [create]) == nil)
    #expect(try room.refusal(EventType.member, bob.rawValue, bob, ["membership": "join"], prevEvents: [create]) != nil)
    #expect(try room.refusal(EventType.member, alice.rawValue, alice, ["membership": "join"]) != nil)
  }

  @Test func refusesEverythingWithoutACreateEvent() throws {
    var room = try TestRoom(.v11)
    room.state[.create] = nil
    #expect(try room.refusal(EventType.message, nil, alice, [:]) == "The room has no create event.")
  }

  @Test func tellsHowFarRedactionsReach() throws {
    var room = try TestRoom(.v11)
    try room.setMembership(bob, "join")
    let byAlice = try room.make(EventType.redaction, nil, alice, ["redacts": "$x"])
    let byBob = try room.make(EventType.redaction, nil, bob, ["redacts": "$x"])
    #expect(try AuthRules.redactionPermission(of: byAlice, state: room.authState()) == .any)
    #expect(try AuthRules.redactionPermission(of: byBob, state: room.authState()) == .sameServer)
    var old = try TestRoom(.v2)
    try old.setMembership(bob, "join")
    let foreign = try old.make(EventType.redaction, nil, bob, [:], redacts: EventID(unchecked: "$x:other"))
    #expect(throws: AuthError.self) { try AuthRules.check(foreign, state: old.authState()) }
    let own = try old.make(EventType.redaction, nil, bob, [:], redacts: EventID(unchecked: "$x:b.example"))
    try AuthRules.check(own, state: old.authState())
  }

  @Test func knowsTheAliasesRuleOfOldRooms() throws {
    for (version, stateKey, isAllowed) in [
      (RoomVersion.v5, "b.example", true), (.v5, "a.example", false), (.v6, "b.example", false),
    ] {
      var room = try TestRoom(version)
      #expect((try room.refusal(EventType.aliases, stateKey, bob, ["aliases": []]) == nil) == isAllowed)
    }
  }

  @Test func selectsTheAuthEventsOfTheSpecification() throws {
    let content: JSON = [
      "membership": "invite", "third_party_invite": ["signed": ["token": "t"]],
      "join_authorised_via_users_server": "@z:x",
    ]
    let keys = AuthRules.authEventKeys(
      type: EventType.member, stateKey: bob.rawValue, sender: alice, content: content, version: .v10)
    #expect(
      Set(keys) == [
        .create, .powerLevels, .joinRules, .member(alice), .member(bob), StateKey(EventType.thirdPartyInvite, "t"),
      ])
    let join = AuthRules.authEventKeys(
      type: EventType.member, stateKey: bob.rawValue, sender: bob,
      content: ["membership": "join", "join_authorised_via_users_server": "@z:x"], version: .v12)
    #expect(Set(join) == [.powerLevels, .joinRules, .member(bob), .member(UserID(unchecked: "@z:x"))])
    #expect(join.count == 4)
    let leave = AuthRules.authEventKeys(
      type: EventType.member, stateKey: bob.rawValue, sender: alice, content: ["membership": "leave"], version: .v10)
    #expect(Set(leave) == [.create, .powerLevels, .member(alice), .member(bob)])
    #expect(
      AuthRules.authEventKeys(type: EventType.create, stateKey: "", sender: alice, content: [:], version: .v10).isEmpty)
  }
}
