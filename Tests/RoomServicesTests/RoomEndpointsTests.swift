import ClientEndpoints
import EndpointKit
import Foundation
import HTTPTypes
import MatrixEvents
import MatrixPrimitives
import RoomServices
import Testing

/// The endpoints about rooms, called as a client does, with the user's name for a token.
@Suite struct RoomEndpointsTests {
  private struct Client {
    let router: Router

    init(_ server: RoomFixture) {
      let clock = ServerClock.system
      let endpoints =
        RoomSendEndpoints(rooms: server.rooms).family.endpoints
        + RoomMembershipEndpoints(rooms: server.rooms).family.endpoints
        + RoomCreationEndpoints(rooms: server.rooms).family.endpoints
        + RoomStateEndpoints(rooms: server.rooms, clock: clock).family.endpoints
        + RoomHistoryEndpoints(rooms: server.rooms, clock: clock).family.endpoints
        + RoomDirectoryEndpoints(rooms: server.rooms, config: server.config).family.endpoints
      router = Router(
        endpoints,
        settings: Router.Settings(
          authenticator: Router.Authenticator { token, _ in
            Requester(userID: UserID(unchecked: "@\(token):test"), isGuest: token == "guest")
          }))
    }

    func call(
      _ method: Text, _ path: Text, _ body: Text = "", as user: Text? = "alice"
    ) async throws -> (status: Int, json: JSON) {
      let incoming = IncomingRequest(
        method: method, target: "/_matrix/client/" + path,
        headers: user.map { [.authorization: "Bearer \($0)"] } ?? [:], clientIP: "192.0.2.1",
        body: BytesInHand(Array(body.utf8)))
      let response = try #require(await router.respond(to: incoming))
      return (response.status, try JSON.parse(response.body.bytes ?? []))
    }
  }

  private static func escaped(_ text: Text) -> Text {
    Text(text.string.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text.string)
  }

  @Test func aConversationThroughTheAPI() async throws {
    let client = Client(try await RoomFixture())
    let created = try await client.call("POST", "v3/createRoom", #"{"preset":"public_chat","room_alias_name":"tea"}"#)
    #expect(created.status == 200)
    let roomID = try #require(created.json["room_id"]?.string)
    let room = "v3/rooms/\(Self.escaped(roomID))"
    let joined = try await client.call("POST", "v3/join/\(Self.escaped("#tea:test"))", as: "bob")
    #expect(joined.json == ["room_id": .string(roomID)])
    let sent = try await client.call(
      "PUT", "\(room)/send/m.room.message/t1", #"{"msgtype":"m.text","body":"hi"}"#, as: "bob")
    let eventID = try #require(sent.json["event_id"]?.string)
    let again = try await client.call(
      "PUT", "\(room)/send/m.room.message/t1", #"{"msgtype":"m.text","body":"hi"}"#, as: "bob")
    #expect(again.json == sent.json)
    let page = try await client.call("GET", "\(room)/messages?dir=b&limit=1")
    #expect(page.json["chunk"]?[0]?["event_id"]?.string == eventID && page.json["end"] != nil)
    let event = try await client.call("GET", "\(room)/event/\(Self.escaped(eventID))")
    #expect(event.json["content"]?["body"] == "hi" && event.json["room_id"]?.string == roomID)
    let topic = try await client.call("PUT", "\(room)/state/m.room.topic", #"{"topic":"T"}"#)
    #expect(topic.status == 200)
    #expect(try await client.call("GET", "\(room)/state/m.room.topic/").json == ["topic": "T"])
    let whole = try await client.call("GET", "\(room)/state/m.room.topic?format=event")
    #expect(whole.json["event_id"] == topic.json["event_id"])
    let members = try await client.call("GET", "\(room)/joined_members")
    #expect(members.json["joined"]?.members?.keys.sorted() == ["@alice:test", "@bob:test"])
    let left = try await client.call("GET", "\(room)/members?not_membership=join")
    #expect(left.json == ["chunk": []])
    #expect(try await client.call("GET", "v3/joined_rooms", as: "bob").json == ["joined_rooms": [.string(roomID)]])
    let context = try await client.call("GET", "\(room)/context/\(Self.escaped(eventID))?limit=2")
    #expect(context.json["events_after"]?[0]?["type"] == "m.room.topic")
    let redaction = try await client.call("PUT", "\(room)/redact/\(Self.escaped(eventID))/r1", "{}")
    #expect(redaction.status == 200)
    #expect(try await client.call("POST", "\(room)/leave", as: "bob").json == [:])
    #expect(try await client.call("POST", "\(room)/forget", as: "bob").json == [:])
  }

  @Test(arguments: [
    ("POST", "v3/createRoom", "[]", 400), ("POST", "v3/createRoom", "{", 400), ("POST", "v3/createRoom", "", 400),
    ("POST", "v3/join/nonsense", "{}", 400), ("POST", "v3/join/%23none:test", "{}", 404),
    ("POST", "v3/join/!none:elsewhere", "{}", 404), ("POST", "v3/rooms/ROOM/invite", "{}", 400),
    ("POST", "v3/rooms/ROOM/invite", #"{"user_id":7}"#, 400),
    ("POST", "v3/rooms/ROOM/invite", #"{"user_id":"x"}"#, 400),
    ("POST", "v3/rooms/ROOM/kick", #"{"user_id":"@nobody:test","reason":1}"#, 400),
    ("POST", "v3/rooms/ROOM/kick", #"{"user_id":"@nobody:test"}"#, 403),
    ("PUT", "v3/rooms/ROOM/send/m.room.message/1", "[]", 400), ("PUT", "v3/rooms/x/send/m.room.message/1", "{}", 400),
    ("PUT", "v3/rooms/ROOM/send/m.room.message/2", #"{"msgtype":"m.text","body":"a","x":1.5}"#, 400),
    ("PUT", "v3/rooms/ROOM/send/m.room.member/3", #"{"membership":"join"}"#, 400),
    ("PUT", "v3/rooms/ROOM/state/m.room.member/@a:test", #"{"membership":7}"#, 400),
    ("PUT", "v3/rooms/ROOM/state/m.room.member/nobody", #"{"membership":"join"}"#, 400),
    ("PUT", "v3/rooms/ROOM/state/m.room.create/", #"{"creator":"@alice:test"}"#, 400),
    ("PUT", "v3/rooms/ROOM/redact/$none/1", "{}", 200), ("GET", "v3/rooms/ROOM/event/$none", "", 404),
    ("GET", "v3/rooms/ROOM/messages?dir=x", "", 400), ("GET", "v3/rooms/ROOM/messages?from=x", "", 400),
    ("GET", "v3/rooms/ROOM/messages?limit=-1", "", 400),
    ("GET", "v3/rooms/ROOM/messages?limit=9999999999999999999", "", 400),
    ("GET", "v3/rooms/ROOM/messages?filter=%7B", "", 400), ("GET", "v3/rooms/ROOM/messages?filter=%5B%5D", "", 400),
    ("GET", "v3/rooms/ROOM/state/m.room.name", "", 404), ("GET", "v3/rooms/ROOM/state/m.room.create?format=x", "", 400),
    ("GET", "v3/rooms/ROOM/members?at=nonsense", "", 400), ("GET", "v3/rooms/!none:test/state", "", 403),
    ("GET", "v3/directory/room/tea", "", 400), ("PUT", "v3/directory/room/%23x:test", "{}", 400),
    ("PUT", "v3/directory/room/%23x:test", #"{"room_id":"!none:test"}"#, 400),
    ("DELETE", "v3/directory/room/%23x:test", "", 404),
    ("PUT", "v3/directory/list/room/ROOM", #"{"visibility":"x"}"#, 400),
    ("GET", "v3/publicRooms?limit=x", "", 400), ("GET", "v3/publicRooms?server=elsewhere", "", 404),
    ("POST", "v3/publicRooms", #"{"filter":{"room_types":[1]}}"#, 400),
    ("POST", "v3/publicRooms", #"{"limit":"5"}"#, 400),
    ("GET", "v1/rooms/ROOM/timestamp_to_event", "", 400), ("GET", "v1/rooms/ROOM/relations/$none", "", 404),
    (
      "PUT", "v3/rooms/ROOM/send/m.room.message/4",
      #"{"msgtype":"m.text","body":"\#(Text(repeating: "a", count: 70_000))"}"#, 413
    ),
  ])
  func hostileRequestsAnswerAsTheyShould(method: Text, path: Text, body: Text, status: Int) async throws {
    let client = try await Self.shared.client()
    let answer = try await client.client.call(
      method, Text(path.string.replacing("ROOM" as String, with: Self.escaped(client.room).string)), body)
    #expect(answer.status == status, "\(answer.json)")
    if status >= 400 { #expect(answer.json["errcode"]?.string?.hasPrefix("M_") == true) }
  }

  @Test(arguments: [
    ("POST", "v3/createRoom"), ("POST", "v3/join/x"), ("GET", "v3/joined_rooms"), ("GET", "v3/rooms/!r:test/messages"),
    ("PUT", "v3/rooms/!r:test/send/m.room.message/1"), ("POST", "v3/rooms/!r:test/leave"),
  ])
  func withoutATokenNothingIsDone(method: Text, path: Text) async throws {
    let client = try await Self.shared.client().client
    let answer = try await client.call(method, path, "{}", as: nil)
    #expect(answer.status == 401 && answer.json["errcode"] == "M_MISSING_TOKEN")
  }

  @Test func guestsMayNotDoWhatUsersMay() async throws {
    let client = try await Self.shared.client()
    #expect(try await client.client.call("POST", "v3/createRoom", "{}", as: "guest").status == 403)
    let join = try await client.client.call("POST", "v3/rooms/\(Self.escaped(client.room))/join", "{}", as: "guest")
    #expect(join.status == 403 && join.json["errcode"] == "M_FORBIDDEN")
  }

  /// One server with one room for all requests that are refused.
  private actor Shared {
    private var making: Task<(client: Client, room: Text), any Error>?

    func client() async throws -> (client: Client, room: Text) {
      if let making { return try await making.value }
      let task = Task {
        let server = try await RoomFixture()
        self.server = server
        return (client: Client(server), room: try await server.createRoom().rawValue)
      }
      making = task
      return try await task.value
    }

    private var server: RoomFixture?
  }

  private static let shared = Shared()
}
