import MatrixPrimitives
import Stores
import Testing

@testable import SyncEngine

/// How the body of a request is read.
@Suite struct SlidingSyncBodyTests {
  private func read(_ text: Text) throws -> SlidingSyncBody { try SlidingSyncBody(try JSONValue.parse(text)) }

  @Test func allMembersAreRead() throws {
    let body = try read(
      #"""
      {"conn_id":"c","lists":{"a":{"ranges":[[0,1],[3,9]],"timeline_limit":-4,"required_state":[["x","y"]],
      "filters":{"is_dm":true,"room_types":["t",null],"tags":["u"]},"slow_get_all_rooms":false}},
      "room_subscriptions":{"!r:test":{"timeline_limit":1000,"required_state":[]},"none":{"timeline_limit":0,"required_state":[]}},
      "extensions":{"to_device":{"enabled":true,"limit":500,"since":"7"},"receipts":{"enabled":true,"lists":["a"],"rooms":null},
      "typing":{"enabled":true},"account_data":null},"unknown":7}
      """#)
    let list = try #require(body.lists["a"])
    #expect(body.connection == "c" && list.config.timelineLimit == 0 && list.config.requiredState.keys == ["x": ["y"]])
    #expect(list.ranges.map(\.first) == [0, 3] && list.ranges.map(\.last) == [1, 9])
    #expect(list.filters.isDirect == true && list.filters.types == ["t", nil] && list.filters.tags == ["u"])
    #expect(list.filters.isInvite == nil && list.filters.looksAtRooms)
    #expect(body.subscriptions.keys.map(\.rawValue) == ["!r:test"])
    #expect(body.extensions.toDevice?.limit == 100 && body.extensions.toDevice?.since == 7)
    #expect(body.extensions.receipts?.lists == ["a"] && body.extensions.receipts?.rooms == nil)
    #expect(body.extensions.typing?.lists == ["*"] && body.extensions.typing?.rooms == ["*"])
    #expect(body.extensions.accountData == nil && !body.extensions.wantsKeys)
    let empty = try read(#"{"conn_id":null,"lists":null,"room_subscriptions":null,"extensions":null}"#)
    #expect(!empty.wantsRooms && empty.connection == "")
  }

  @Test(
    arguments: [
      (#"{"lists":{"a":{"timeline_limit":1}}}"#, "M_MISSING_PARAM"),
      (#"{"lists":{"a":{"required_state":[]}}}"#, "M_MISSING_PARAM"),
      (#"{"lists":{"a":{}}}"#, "M_BAD_JSON"),
      (#"{"lists":{"a":7}}"#, "M_BAD_JSON"),
      (#"{"lists":[]}"#, "M_BAD_JSON"),
      (#"{"lists":{"a":{"timeline_limit":1001,"required_state":[]}}}"#, "M_BAD_JSON"),
      (#"{"lists":{"a":{"timeline_limit":1.5,"required_state":[]}}}"#, "M_BAD_JSON"),
      (#"{"lists":{"a":{"timeline_limit":true,"required_state":[]}}}"#, "M_BAD_JSON"),
      (#"{"lists":{"a":{"timeline_limit":1,"required_state":[["a"]]}}}"#, "M_MISSING_PARAM"),
      (#"{"lists":{"a":{"timeline_limit":1,"required_state":[[]]}}}"#, "M_BAD_JSON"),
      (#"{"lists":{"a":{"timeline_limit":1,"required_state":[7]}}}"#, "M_BAD_JSON"),
      (#"{"lists":{"a":{"timeline_limit":1,"required_state":[["a","b","c"]]}}}"#, "M_BAD_JSON"),
      (#"{"lists":{"a":{"timeline_limit":1,"required_state":{"include":[]}}}}"#, "M_BAD_JSON"),
      (#"{"lists":{"a":{"timeline_limit":1,"required_state":[],"ranges":[[0]]}}}"#, "M_MISSING_PARAM"),
      (#"{"lists":{"a":{"timeline_limit":1,"required_state":[],"ranges":[[-1,5]]}}}"#, "M_BAD_JSON"),
      (#"{"lists":{"a":{"timeline_limit":1,"required_state":[],"filters":{"is_dm":"x"}}}}"#, "M_BAD_JSON"),
      (#"{"conn_id":7}"#, "M_BAD_JSON"),
      (#"{"conn_id":"a\u0000"}"#, "M_INVALID_PARAM"),
      (#"{"room_subscriptions":{"!a:test":{"timeline_limit":1}}}"#, "M_MISSING_PARAM"),
      (#"{"extensions":7}"#, "M_BAD_JSON"),
      (#"{"extensions":{"to_device":{"since":"x"}}}"#, "M_INVALID_PARAM"),
      (#"{"extensions":{"to_device":{"limit":null}}}"#, "M_BAD_JSON"),
      (#"{"extensions":{"typing":{"enabled":1}}}"#, "M_BAD_JSON"),
    ] as [(Text, Text)])
  func whatIsWrongIsRefused(_ text: Text, _ code: Text) throws {
    let error = #expect(throws: MatrixError.self) { try read(text) }
    #expect(error?.errcode == code && error?.status == 400, "\(text)")
  }

  @Test func thereAreBounds() throws {
    func lists(_ count: Int, name: Text = "") -> Text {
      let lists = (0..<count).map { #""\#(name)\#($0)":{"timeline_limit":1,"required_state":[]}"# as Text }
      return #"{"lists":{\#(lists.joined(separator: ","))}}"#
    }
    #expect(try read(lists(100)).lists.count == 100)
    #expect(throws: MatrixError.self) { try read(lists(101)) }
    #expect(throws: MatrixError.self) { try read(lists(1, name: Text(repeating: "x", count: 64))) }
    let long = Text(repeating: "x", count: 256)
    #expect(throws: MatrixError.self) { try read(#"{"conn_id":"\#(long)"}"#) }
    let rooms = (0...1000).map { #""!\#($0):test":{"timeline_limit":1,"required_state":[]}"# as Text }
    #expect(throws: MatrixError.self) { try read(#"{"room_subscriptions":{\#(rooms.joined(separator: ","))}}"#) }
    let pairs = Text(repeating: #"["a","b"],"#, count: 1000)
    #expect(throws: MatrixError.self) {
      try read(#"{"lists":{"a":{"timeline_limit":1,"required_state":[\#(pairs)["a","b"]]}}}"#)
    }
  }
}
