import MatrixPrimitives
import Testing

@testable import Replication

@Suite struct StreamRowTests {
  static let user = UserID(unchecked: "@b:hs")
  static let room = RoomID(unchecked: "!r:hs")
  static let event = EventID(unchecked: "$id")

  static let rows: [(StreamName, Text, StreamRow)] = [
    (
      .events, #"["ev",["$id","!r:hs","m.room.member","@b:hs",null,null,"join",false,false]]"#,
      .event(.init(eventID: event, roomID: room, type: "m.room.member", stateKey: "@b:hs", membership: "join"))
    ),
    (
      .events, #"["ev",["$id","!r:hs","m.room.redaction",null,"$x","$y",null,true,true]]"#,
      .event(
        .init(
          eventID: event, roomID: room, type: "m.room.redaction", redacts: EventID(unchecked: "$x"),
          relatesTo: EventID(unchecked: "$y"), isRejected: true, isOutlier: true))
    ),
    (
      .events, #"["state",["!r:hs","m.room.member","@b:hs","$id"]]"#,
      .eventState(.init(roomID: room, type: "m.room.member", stateKey: "@b:hs", eventID: event))
    ),
    (
      .events, #"["state",["!r:hs","m.room.topic","",null]]"#,
      .eventState(.init(roomID: room, type: "m.room.topic", stateKey: "", eventID: nil))
    ),
    (.events, #"["state-all",["!r:hs"]]"#, .eventStateAll(room)),
    (
      .backfill, #"["$id","!r:hs","m.room.message",null,null,"$y"]"#,
      .backfill(.init(eventID: event, roomID: room, type: "m.room.message", relatesTo: EventID(unchecked: "$y")))
    ),
    (
      .presence, #"["@b:hs","online",1795420600719,1795420600719,0,"yo",true]"#,
      .presence(
        .init(
          userID: user, state: "online", lastActiveTS: 1_795_420_600_719, lastFederationUpdateTS: 1_795_420_600_719,
          lastUserSyncTS: 0, statusMessage: "yo", isCurrentlyActive: true))
    ),
    (
      .presenceFederation, #"["example.com","@b:hs"]"#,
      .presenceFederation(.init(destination: "example.com", userID: user))
    ),
    (.typing, #"["!r:hs",["@b:hs"]]"#, .typing(.init(roomID: room, userIDs: [user]))),
    (.typing, #"["!r:hs",[]]"#, .typing(.init(roomID: room, userIDs: []))),
    (
      .receipts, #"["!r:hs","m.read","@b:hs","$id",null,{"ts":1795420599740}]"#,
      .receipt(
        .init(
          roomID: room, receiptType: "m.read", userID: user, eventID: event, threadID: nil,
          data: .object(["ts": .integer(1_795_420_599_740)])))
    ),
    (
      .receipts, #"["!r:hs","m.read.private","@b:hs","$id","main",{}]"#,
      .receipt(
        .init(
          roomID: room, receiptType: "m.read.private", userID: user, eventID: event, threadID: "main",
          data: .object([:])))
    ),
    (.pushRules, #"["@b:hs"]"#, .pushRules(user)),
    (
      .pushers, #"["@b:hs","app","key",false]"#,
      .pusher(.init(userID: user, appID: "app", pushKey: "key", isDeleted: false))
    ),
    (
      .caches, #"["get_device",["@b:hs","DEV"],1795420596894]"#,
      .caches(.init(cacheFunction: "get_device", keys: ["@b:hs", "DEV"], invalidationTS: 1_795_420_596_894))
    ),
    (
      .caches, #"["get_push_rules_for_user",null,1]"#,
      .caches(.init(cacheFunction: "get_push_rules_for_user", keys: nil, invalidationTS: 1))
    ),
    (
      .caches, #"["get_monthly_active_count",[],null]"#,
      .caches(.init(cacheFunction: "get_monthly_active_count", keys: [], invalidationTS: nil))
    ),
    (
      .deviceLists, #"["@b:hs",false,true]"#,
      .deviceLists(.init(userID: user, isSignature: false, areHostsCalculated: true))
    ),
    (.toDevice, #"["example.com"]"#, .toDevice("example.com")),
    (.accountData, #"["@b:hs","!r:hs","m.tag"]"#, .accountData(.init(userID: user, roomID: room, type: "m.tag"))),
    (.accountData, #"["@b:hs",null,"m.direct"]"#, .accountData(.init(userID: user, roomID: nil, type: "m.direct"))),
    (
      .federation, #"["e",{"edu_type":"m.x"}]"#,
      .federation(.init(type: "e", data: .object(["edu_type": .string("m.x")])))
    ),
    (
      .threadSubscriptions, #"["@b:hs","!r:hs","$id"]"#,
      .threadSubscription(.init(userID: user, roomID: room, eventID: event))
    ),
    (.stickyEvents, #"["!r:hs","$id"]"#, .stickyEvent(.init(roomID: room, eventID: event))),
    (.unPartialStatedRoom, #"["!r:hs"]"#, .unPartialStatedRoom(room)),
    (.unPartialStatedEvent, #"["$id",true]"#, .unPartialStatedEvent(.init(eventID: event, didRejectionChange: true))),
    (
      .quarantinedMedia, #"["hs","abc",true]"#,
      .quarantinedMedia(.init(origin: "hs", mediaID: "abc", isQuarantined: true))
    ),
    (
      .profileUpdates, #"["@b:hs","update",["displayname"]]"#,
      .profileUpdate(.init(userID: user, action: "update", affectedFields: ["displayname"]))
    ),
    (
      .profileUpdates, #"["@b:hs","left_room",null]"#,
      .profileUpdate(.init(userID: user, action: "left_room", affectedFields: nil))
    ),
    (
      StreamName(rawValue: "novel"), #"[1,"a"]"#,
      .other(StreamName(rawValue: "novel"), .array([.integer(1), .string("a")]))
    ),
  ]

  @Test(arguments: rows.indices) func rowsAreReadAndWrittenExactly(_ index: Int) throws {
    let (stream, text, row) = Self.rows[index]
    #expect(try StreamRow(stream: stream, json: try JSONValue.parse(text)) == row)
    #expect(Text(decoding: row.encoded, as: UTF8.self) == text)
  }

  @Test func everyStreamHasAGoldenRow() {
    #expect(Set(StreamName.all).isSubset(of: Set(Self.rows.map(\.0))))
    #expect(StreamName.all.count == 19)
  }

  @Test func escapedTextMeansTheSame() throws {
    let row = try StreamRow(stream: .toDevice, json: try JSONValue.parse(#"["@\u00e9\n:hs"]"#))
    #expect(row == .toDevice("@\u{e9}\n:hs"))
    #expect(!row.encoded.contains(0x0A))
  }

  @Test func shortRowsAndWrongTypesAreRefused() throws {
    for (stream, text, _) in Self.rows where stream.isKnown {
      for broken in [#"[]"#, #"{}"#, #"[5,5,5,5,5,5,5]"#, #"["ev",[]]"#, #"["nothing",["a"]]"#, "null", #"[["a"]]"#] {
        // A string, or a string and a list, is a whole row of these.
        let isWhole = [.pushRules, .toDevice, .unPartialStatedRoom, .typing].contains(stream)
        if broken.hasPrefix("[\""), isWhole { continue }
        let json = try JSONValue.parse(broken)
        #expect(throws: ReplicationError.self, "\(stream) \(text) \(broken)") {
          _ = try StreamRow(stream: stream, json: json)
        }
      }
    }
  }

  @Test func shardingAgreesWithSynapse() {
    let instances: [Text] = ["0", "1", "2", "3", "4"]
    let expected: [(Text, [Text])] = [
      ("!room:example.com", ["1", "1", "1", "3"]), ("matrix.org", ["1", "2", "3", "4"]),
      ("@alice:example.com", ["0", "0", "2", "1"]),
    ]
    for (key, shards) in expected {
      #expect((2...5).map { Sharding.instance(for: key, in: Array(instances.prefix($0))) } == shards)
    }
    #expect(Sharding.instance(for: "a", in: ["only"]) == "only")
    #expect(Sharding.instance(for: "a", in: []) == nil)
  }

  @Test func requestersKeepTheirSpelling() throws {
    let requester = Requester(
      userID: Self.user, accessTokenID: 5, deviceID: "DEV", isGuest: false, isShadowBanned: true, appserviceID: "as",
      authenticatedEntity: "@admin:hs", scope: ["urn:x"])
    let json = try JSONValue.parse(requester.json.encoded)
    #expect(try Requester(json: json) == requester)
    #expect(json["app_server_id"]?.string == "as")
    let text =
      #"{"user_id":"@b:hs","access_token_id":null,"is_guest":false,"scope":[],"shadow_banned":false,"device_id":null,"#
      + #""app_server_id":null,"authenticated_entity":"@b:hs"}"#
    #expect(try Requester(json: JSONValue.parse(text)) == Requester(userID: Self.user))
    #expect(throws: MatrixError.self) { try Requester(json: JSONValue.parse("{}")) }
  }
}
