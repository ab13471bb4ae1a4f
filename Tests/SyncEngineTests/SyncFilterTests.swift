import MatrixPrimitives
import Testing

@testable import SyncEngine

@Suite struct SyncFilterTests {
  @Test(arguments: [
    "{}", #"{"presence":{"types":["m.*"]},"room":{"timeline":{"limit":10}},"unknown":[1]}"#,
    #"{"room":{"rooms":["!a:b"],"not_rooms":[],"state":{"lazy_load_members":true}},"event_format":"federation"}"#,
    #"{"account_data":{"senders":["@a:b"],"limit":1.5}}"#,
  ])
  func wellFormedFiltersAreAccepted(_ text: Text) throws {
    try SyncFilter.validate(try JSONValue.parse(text))
  }

  @Test(arguments: [
    "[]", "1", #"{"presence":1}"#, #"{"presence":{"types":"m"}}"#, #"{"presence":{"types":[1]}}"#,
    #"{"room":[]}"#, #"{"room":{"rooms":["nope"]}}"#, #"{"room":{"include_leave":1}}"#,
    #"{"room":{"timeline":{"limit":"10"}}}"#, #"{"room":{"state":{"lazy_load_members":"yes"}}}"#,
    #"{"room":{"timeline":{"not_senders":["nobody"]}}}"#, #"{"event_format":"xml"}"#, #"{"event_fields":[1]}"#,
    #"{"room":{"ephemeral":{"org.matrix.labels":{}}}}"#, #"{"room":{"timeline":{"limit":null}}}"#,
  ])
  func malformedFiltersAreRefused(_ text: Text) throws {
    let json = try JSONValue.parse(text)
    let error = try #require(throws: MatrixError.self) { try SyncFilter.validate(json) }
    #expect(error.status == 400)
  }

  @Test func typesMatchWithWildcards() {
    var filter = EventFilter()
    filter.types = ["m.room.*", "org.x"]
    filter.notTypes = ["m.room.topic"]
    #expect(filter.passes(type: "m.room.name") && filter.passes(type: "org.x"))
    #expect(!filter.passes(type: "m.room.topic") && !filter.passes(type: "org.xy") && !filter.passes(type: "m.roo"))
    filter.types = ["*"]
    #expect(filter.passes(type: "anything"))
    filter.types = []
    #expect(filter.blocksAll)
  }

  @Test func contentIsLookedAtOnlyWhenAsked() throws {
    let link = try JSONValue.parse(#"{"url":"mxc://x","org.matrix.labels":["fun"]}"#)
    var filter = EventFilter()
    #expect(filter.passes(type: "m", sender: nil, room: nil, content: nil))
    filter.containsURL = true
    #expect(filter.passes(type: "m", sender: nil, room: nil, content: link))
    #expect(!filter.passes(type: "m", sender: nil, room: nil, content: nil))
    filter.containsURL = nil
    filter.notLabels = ["fun"]
    #expect(!filter.passes(type: "m", sender: nil, room: nil, content: link))
    filter.notLabels = []
    filter.labels = ["work"]
    #expect(!filter.passes(type: "m", sender: nil, room: nil, content: link))
  }

  @Test func limitsAreCutToWhatTheServerAllows() throws {
    let filter = { (text: Text) in SyncFilter(try JSONValue.parse(text), maximumTimelineLimit: 100) }
    #expect(try filter("{}").timeline.limit == 10)
    #expect(try filter(#"{"room":{"timeline":{"limit":1e30}}}"#).timeline.limit == 100)
    #expect(try filter(#"{"room":{"timeline":{"limit":-5}}}"#).timeline.limit == 0)
  }

  @Test func fieldsAreSelectedByPath() throws {
    let event = try JSONValue.parse(#"{"type":"t","content":{"a":{"b":1,"c":2},"x.y":3},"sender":"@a:b"}"#)
    #expect(
      EventFieldSelection(["content.a.b", "type"]).select(from: event) == ["type": "t", "content": ["a": ["b": 1]]])
    #expect(EventFieldSelection([#"content.x\.y"#]).select(from: event) == ["content": ["x.y": 3]])
    #expect(EventFieldSelection(["none.at.all"]).select(from: event) == [:])
  }
}
