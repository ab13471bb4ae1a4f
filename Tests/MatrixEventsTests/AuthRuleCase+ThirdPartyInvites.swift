import Crypto
import MatrixEvents
import MatrixPrimitives

/// An invite that an identity server's word turns into a user's, as it is when nothing is wrong with it.
private struct ThirdPartyInviteSetting {
  static let identityServer = signer(byte: 7)
  static let otherIdentityServer = signer(byte: 8)

  var signer = identityServer
  var claims: JSON = ["mxid": .string(TestRoom.bob.rawValue), "token": "token"]
  var target = TestRoom.bob
  var sender = TestRoom.alice
  /// The content of the room's `m.room.third_party_invite`.
  var keys: JSON = ["public_key": .string(identityServer.publicKey)]

  private static func signer(byte: UInt8) -> EventSigner {
    let seed = [UInt8](repeating: byte, count: 32)
    let key = (try? Curve25519.Signing.PrivateKey(rawRepresentation: seed)) ?? Curve25519.Signing.PrivateKey()
    return EventSigner(serverName: "id.example", keyID: "ed25519:0", privateKey: key)
  }

  /// Lets Alice invite an address and gives the reason why the invite that comes of it is refused.
  func refusal(in room: inout TestRoom) throws -> Text? {
    try room.add(EventType.thirdPartyInvite, "token", TestRoom.alice, keys)
    return try room.refusal(of: target, "invite", by: sender, adding: ["third_party_invite": content()])
  }

  func content() throws -> JSON { ["display_name": "bob@…", "signed": try signer.sign(claims)] }
}

extension AuthRuleCase {
  /// Makes a case of the rules on `third_party_invite`, which are the first of those on invites.
  private static func thirdParty(
    _ rest: Int, _ what: Text, _ isAllowed: Bool,
    _ change: @escaping @Sendable (inout ThirdPartyInviteSetting) -> Void
  ) -> AuthRuleCase {
    AuthRuleCase(invite("1.\(rest)"), what, isAllowed) { room in
      var setting = ThirdPartyInviteSetting()
      change(&setting)
      return try setting.refusal(in: &room)
    }
  }

  private static func listed(_ signers: EventSigner...) -> JSON {
    .array(signers.map { ["public_key": .string($0.publicKey)] })
  }

  static let thirdPartyInvites: [AuthRuleCase] = [
    AuthRuleCase(invite("1.1"), "who owns the address is banned", false) { room in
      try room.setMembership(bob, "ban", by: alice)
      return try ThirdPartyInviteSetting().refusal(in: &room)
    },
    AuthRuleCase(invite("1.2"), "nothing is signed", false) { room in
      try room.add(EventType.thirdPartyInvite, "token", alice, ThirdPartyInviteSetting().keys)
      return try room.refusal(of: bob, "invite", by: alice, adding: ["third_party_invite": ["display_name": "bob@…"]])
    },
    AuthRuleCase(invite("1.2"), "what is signed is no object", false) { room in
      try room.add(EventType.thirdPartyInvite, "token", alice, ThirdPartyInviteSetting().keys)
      return try room.refusal(of: bob, "invite", by: alice, adding: ["third_party_invite": ["signed": "yes"]])
    },
    thirdParty(3, "the signed part names no user", false) { $0.claims = ["token": "token"] },
    thirdParty(3, "the signed part names no token", false) { $0.claims = ["mxid": .string(bob.rawValue)] },
    thirdParty(3, "the signed part's token is a number", false) {
      $0.claims = ["mxid": .string(bob.rawValue), "token": 5]
    },
    thirdParty(4, "another user is invited than signed for", false) { $0.target = carol },
    thirdParty(5, "no third-party invite has the token", false) {
      $0.claims = ["mxid": .string(bob.rawValue), "token": "another"]
    },
    AuthRuleCase(invite("1.6"), "somebody uses another's third-party invite", false) { room in
      try fill(&room, [carol: 50])
      try room.setMembership(bob, "leave")
      var setting = ThirdPartyInviteSetting()
      setting.sender = carol
      return try setting.refusal(in: &room)
    },
    thirdParty(7, "the key stands by itself", true) { _ in },
    thirdParty(7, "the key stands in the list", true) { $0.keys = ["public_keys": listed($0.signer)] },
    thirdParty(7, "the key stands in the list behind another", true) {
      $0.keys = ["public_keys": listed(ThirdPartyInviteSetting.otherIdentityServer, $0.signer)]
    },
    thirdParty(7, "the key stands in the list, another by itself", true) {
      $0.keys = [
        "public_key": .string(ThirdPartyInviteSetting.otherIdentityServer.publicKey), "public_keys": listed($0.signer),
      ]
    },
    thirdParty(7, "what is no key stands beside the key", true) {
      $0.keys = ["public_key": "nonsense", "public_keys": listed($0.signer)]
    },
    AuthRuleCase(invite("1.7"), "one of two signatures is good", true) { room in
      let setting = ThirdPartyInviteSetting()
      try room.add(EventType.thirdPartyInvite, "token", alice, setting.keys)
      var content = try setting.content()
      content["signed"]?["signatures"]?["other.example"] = ["ed25519:0": "AAAA"]
      return try room.refusal(of: bob, "invite", by: alice, adding: ["third_party_invite": content])
    },
    AuthRuleCase(invite("1.7"), "who invited has lost the power since", true) { room in
      let invite = try room.make(EventType.thirdPartyInvite, "token", bob, ThirdPartyInviteSetting().keys)
      try room.setMembership(bob, "join")
      try fill(&room, [bob: 0], ["invite": 50])
      room.state[StateKey(EventType.thirdPartyInvite, "token")] = invite.eventID
      let signed = try ThirdPartyInviteSetting.identityServer.sign([
        "mxid": .string(TestRoom.dave.rawValue), "token": "token",
      ])
      return try room.refusal(
        of: TestRoom.dave, "invite", by: bob, adding: ["third_party_invite": ["signed": signed]])
    },
    thirdParty(8, "another key has signed", false) { $0.signer = ThirdPartyInviteSetting.otherIdentityServer },
    thirdParty(8, "the room knows no key", false) { $0.keys = [:] },
    thirdParty(8, "the room's key is none", false) { $0.keys = ["public_key": "nonsense", "public_keys": "x"] },
    AuthRuleCase(invite("1.8"), "the signed part was changed", false) { room in
      let setting = ThirdPartyInviteSetting()
      try room.add(EventType.thirdPartyInvite, "token", alice, setting.keys)
      var content = try setting.content()
      content["signed"]?["more"] = true
      return try room.refusal(of: bob, "invite", by: alice, adding: ["third_party_invite": content])
    },
    AuthRuleCase(invite("1.8"), "there is no signature", false) { room in
      let setting = ThirdPartyInviteSetting()
      try room.add(EventType.thirdPartyInvite, "token", alice, setting.keys)
      return try room.refusal(of: bob, "invite", by: alice, adding: ["third_party_invite": ["signed": setting.claims]])
    },
  ]
}
