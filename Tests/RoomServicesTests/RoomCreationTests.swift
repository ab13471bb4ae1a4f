import MatrixEvents
import MatrixPrimitives
import Stores
import Testing

@testable import EventPersistence
@testable import RoomServices

@Suite struct RoomCreationTests {
  @Test(arguments: (1...12).map(Text.init))
  func everyRoomVersionCanBeCreatedAndTalkedIn(version: Text) async throws {
    let server = try await RoomFixture()
    let room = try await server.createRoom(
      RoomFixture.alice, ["preset": "public_chat", "room_version": .string(version)])
    try await server.change(.join, room, by: RoomFixture.bob)
    let eventID = try await server.say("hello", room, RoomFixture.bob)
    let timeline = try await server.timeline(room)
    #expect(
      timeline.map(\.stored.type) == [
        "m.room.create", "m.room.member", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility",
        "m.room.member", "m.room.message",
      ])
    #expect(timeline.last?.stored.eventID == eventID)
    #expect(timeline.map(\.stored.depth) == Array(1...7))
    let stored = try #require(try await server.stores.rooms.version(of: room))
    #expect(stored.identifier == version)
    #expect((room.serverName == nil) == (version == "12"))
  }

  @Test func optionsBecomeEventsInSynapsesOrder() async throws {
    let server = try await RoomFixture(settings: "room_list_publication_rules: [{action: allow}]")
    let body: JSON = [
      "preset": "trusted_private_chat", "visibility": "public", "room_version": "10", "name": "A room", "topic": "Talk",
      "room_alias_name": "here", "invite": ["@bob:test"], "is_direct": true,
      "creation_content": ["m.federate": false, "room_version": "3"],
      "power_level_content_override": ["events_default": 7, "users": ["@alice:test": 100]],
      "initial_state": [
        ["type": "m.room.encryption", "content": ["algorithm": "m.megolm.v1.aes-sha2"]],
        ["type": "org.example", "state_key": "x", "content": ["a": 1]],
      ],
    ]
    let room = try await server.createRoom(RoomFixture.alice, body)
    let timeline = try await server.timeline(room)
    #expect(
      timeline.map(\.stored.type) == [
        "m.room.create", "m.room.member", "m.room.power_levels", "m.room.canonical_alias", "m.room.join_rules",
        "m.room.history_visibility", "m.room.guest_access", "m.room.encryption", "org.example", "m.room.name",
        "m.room.topic", "m.room.member",
      ])
    let contents = timeline.map { $0.stored.content.json }
    #expect(contents[0] == ["m.federate": false, "room_version": "10", "creator": "@alice:test"])
    #expect(contents[1] == ["membership": "join", "displayname": "Name of alice"])
    #expect(contents[2]["events_default"] == 7 && contents[2]["users"] == ["@alice:test": 100])
    #expect(contents[3] == ["alias": "#here:test"])
    #expect(contents[10] == ["topic": "Talk", "m.topic": ["m.text": [["body": "Talk"]]]])
    #expect(contents[11] == ["membership": "invite", "is_direct": true, "displayname": "Name of bob"])
    let page = try await server.rooms.directory.publicRooms(limit: 5, since: nil)
    // The join rule says invite, so the room is published but not shown.
    #expect(page.chunk.isEmpty)
    let alias = try #require(RoomAlias("#here:test"))
    #expect(try await server.rooms.directory.resolve(alias).roomID == room)
    let again = try await server.refusal {
      _ = try await server.createRoom(RoomFixture.bob, ["room_alias_name": "here"])
    }
    #expect(again?.errcode == "M_ROOM_IN_USE")
  }

  @Test func creatorsOfVersion12StandAbovePowerLevels() async throws {
    let server = try await RoomFixture()
    let body: JSON = ["preset": "trusted_private_chat", "room_version": "12", "invite": ["@bob:test"]]
    let room = try await server.createRoom(RoomFixture.alice, body)
    let timeline = try await server.timeline(room)
    #expect(timeline[0].stored.content["additional_creators"]?.json == ["@bob:test"])
    #expect(timeline[2].stored.content["users"]?.json == [:])
    try await server.change(.join, room, by: RoomFixture.bob)
    _ = try await server.set(
      "m.room.tombstone", ["replacement_room": "!x:test", "body": "over"], room, RoomFixture.bob)
    let first = try server.json(timeline[0])
    #expect(first["room_id"]?.string == room.rawValue)
  }

  @Test(arguments: [
    (#"{"preset":"x"}"#, "M_BAD_JSON"), (#"{"preset":1}"#, "M_BAD_JSON"), (#"{"visibility":"x"}"#, "M_INVALID_PARAM"),
    (#"{"room_version":"99"}"#, "M_UNSUPPORTED_ROOM_VERSION"), (#"{"room_version":1}"#, "M_BAD_JSON"),
    (#"{"invite":"@a:b"}"#, "M_BAD_JSON"), (#"{"invite":[3]}"#, "M_BAD_JSON"),
    (#"{"invite":["bob"]}"#, "M_INVALID_PARAM"),
    (#"{"initial_state":{}}"#, "M_BAD_JSON"), (#"{"initial_state":[1]}"#, "M_BAD_JSON"),
    (#"{"initial_state":[{"type":"a"}]}"#, "M_MISSING_PARAM"), (#"{"room_alias_name":"a b"}"#, "M_INVALID_PARAM"),
    (#"{"room_alias_name":"a:b"}"#, "M_INVALID_PARAM"), (#"{"creation_content":[]}"#, "M_BAD_JSON"),
    (#"{"invite_3pid":[{"medium":"email"}]}"#, "M_MISSING_PARAM"),
    (#"{"invite_3pid":[{"medium":"email","address":"a","id_server":"b","id_access_token":"c"}]}"#, "M_THREEPID_DENIED"),
    (#"{"name":7}"#, "M_BAD_JSON"), (#"{"is_direct":"yes"}"#, "M_BAD_JSON"),
  ])
  func hostileBodiesAreRefused(body: Text, errcode: Text) throws {
    let error = #expect(throws: MatrixError.self) {
      try RoomCreationRequest(try JSONValue.parse(body), defaultVersion: "10")
    }
    #expect(error?.errcode == errcode)
  }
}
