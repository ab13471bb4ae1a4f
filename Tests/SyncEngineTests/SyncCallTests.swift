import MatrixPrimitives
import Replication
import TestSupport
import Testing

@testable import SyncEngine

/// What Synapse's processes send and expect, byte by byte.
@Suite struct SyncCallTests {
  private let alice = UserID(unchecked: "@a:hs")
  private let room = RoomID(unchecked: "!r:hs")

  @Test func accountData() throws {
    let content = try JSON.object(["a": 1]).document()
    let global = try CallForm(AddUserAccountData(userID: alice, type: "m.x", content: content))
    #expect(global.path == "add_user_account_data/@a:hs/m.x")
    #expect(global.body == #"{"content":{"a":1}}"#)
    #expect(try CallForm(try global.read()).body == global.body)
    let local = try CallForm(AddRoomAccountData(userID: alice, roomID: room, type: "m.x", content: content))
    #expect(local.path == "add_room_account_data/@a:hs/!r:hs/m.x")
    #expect(local.body == #"{"content":{"a":1}}"#)
    #expect(try local.read().roomID == room)
    let tag = try CallForm(AddTag(userID: alice, roomID: room, tag: "u.t", content: content))
    #expect(tag.path == "add_tag/@a:hs/!r:hs/u.t")
    #expect(tag.body == #"{"content":{"a":1}}"#)
    #expect(try tag.read().tag == "u.t")
    let removal = try CallForm(RemoveTag(userID: alice, roomID: room, tag: "u.t"))
    #expect(removal.path == "remove_tag/@a:hs/!r:hs/u.t")
    #expect(removal.body == "{}")
    #expect(try removal.read().tag == "u.t")
    #expect(StreamIDAnswer(7).form == #"{"max_stream_id":7}"#)
    #expect(try StreamIDAnswer(answer: try JSONValue.parse(#"{"max_stream_id":7}"#)).streamID == 7)
  }

  @Test(arguments: ["{}", #"{"content":[]}"#]) func contentIsNeeded(_ body: Text) {
    #expect(throws: MatrixError.self) { try CallForm<AddUserAccountData>.read(["@a:hs", "m.x"], body) }
    #expect(throws: MatrixError.self) { try CallForm<AddRoomAccountData>.read(["@a:hs", "!r:hs", "m.x"], body) }
    #expect(throws: MatrixError.self) { try CallForm<AddTag>.read(["@a:hs", "!r:hs", "u.t"], body) }
  }

  @Test func presence() throws {
    let set = try CallForm(
      SetPresence(userID: alice, deviceID: nil, state: "online", statusMessage: "hi", force: false, isSync: true))
    #expect(set.path == "presence_set_state/@a:hs")
    #expect(
      set.body
        == #"{"device_id":null,"state":{"presence":"online","status_msg":"hi"},"force_notify":false,"is_sync":true}"#)
    #expect(try CallForm(try set.read()).body == set.body)
    let short = try CallForm<SetPresence>.read(["@a:hs"], #"{"state":{"presence":"offline","status_msg":null}}"#)
    #expect(short.state == "offline" && short.statusMessage == nil && !short.force && !short.isSync)
    #expect(throws: MatrixError.self) { try CallForm<SetPresence>.read(["a"], #"{"state":{"presence":"offline"}}"#) }
    let bump = try CallForm(BumpPresence(userID: alice, deviceID: "D"))
    #expect(bump.path == "bump_presence_active_time/@a:hs")
    #expect(bump.body == #"{"device_id":"D"}"#)
    #expect(try bump.read().deviceID == "D")
    #expect(EmptyAnswer().form == "{}")
  }

  @Test func writersOfTheStreamsAreAsked() {
    #expect(RemoveTag(userID: alice, roomID: room, tag: "t").destination == .writer(of: .accountData))
    #expect(BumpPresence(userID: alice, deviceID: nil).destination == .writer(of: .presence))
  }
}
