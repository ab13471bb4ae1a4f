import MatrixPrimitives
import Testing

@testable import MatrixEvents

@Suite struct FilterTests {
  @Test(arguments: [
    "{}", #"{"presence":{"types":["m.*"]},"room":{"timeline":{"limit":10}},"unknown":[1]}"#,
    #"{"room":{"rooms":["!a:b"],"not_rooms":[],"state":{"lazy_load_members":true}},"event_format":"federation"}"#,
    #"{"account_data":{"senders":["@a:b"],"limit":1.5}}"#,
  ])
  func wellFormedFiltersAreAccepted(_ text: Text) throws {
    _ = try SyncFilter(text: text, maximumTimelineLimit: -1)
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
    let error = try #require(throws: MatrixError.self) { try SyncFilter(text: text, maximumTimelineLimit: -1) }
    #expect(error.status == 400 && error.errcode == "M_UNKNOWN")
  }

  @Test(arguments: ["", #"{"types":null,"senders":null,"contains_url":null,"related_by_senders":[],"limit":null}"#])
  func aDefinitionThatStandsAloneMayHaveNulls(_ text: Text) throws {
    #expect(try EventFilter(text: text).passesAll)
    #expect(try EventFilter(text: nil).passesAll)
  }

  @Test(arguments: [
    "[]", #"{"types":"m"}"#, #"{"types":[1]}"#, #"{"senders":{}}"#, #"{"contains_url":"yes"}"#,
    #"{"lazy_load_members":1}"#, #"{"limit":"5"}"#,
  ])
  func aDefinitionThatStandsAloneIsRefusedWithTheSameAnswer(_ text: Text) throws {
    let error = try #require(throws: MatrixError.self) { try EventFilter(text: text) }
    #expect(error.status == 400 && error.errcode == "M_UNKNOWN")
  }

  @Test func whatIsNoJSONOrTooLargeIsRefusedAlikeEverywhere() throws {
    let large = #"{"x":""# + Text(repeating: "a", count: 70_000) + #""}"#
    for (text, code) in [("{", "M_NOT_JSON"), (large, "M_TOO_LARGE")] {
      let alone = try #require(throws: MatrixError.self) { try EventFilter(text: text) }
      let whole = try #require(throws: MatrixError.self) { try SyncFilter(text: text, maximumTimelineLimit: 1) }
      #expect(alone.errcode == code && whole.errcode == code && alone.message == whole.message)
    }
  }

  @Test func aListOfPatternsHasABound() throws {
    let types = Text((0..<501).map { "\"\($0)\"" }.joined(separator: ","))
    #expect(throws: MatrixError.self) { try EventFilter(text: "{\"types\":[\(types)]}") }
    #expect(throws: MatrixError.self) {
      try SyncFilter(text: "{\"event_fields\":[\(types)]}", maximumTimelineLimit: 1)
    }
  }

  @Test func aFormatAndAnythingButIDsMayStandInADefinitionThatStandsAlone() throws {
    let filter = try EventFilter(text: #"{"event_format":"federation","senders":["nobody"],"limit":3}"#)
    #expect(filter.format == .federation && filter.senders == ["nobody"] && filter.limit == 3)
  }

  @Test(arguments: [
    ("m.room.message", "m.room.message", true), ("m.room.message", "m.room.*", true), ("m.room.message", "*", true),
    ("m.room.message", "*.message", true), ("m.room.message", "m.*.message", true), ("m.room.message", "m.*x*e", false),
    ("m.room.message", "", false), ("", "*", true), ("ab", "ab*b", false), ("aab", "a*ab", true), ("abc", "a**c", true),
    ("abcbc", "a*bc*bc", true), ("abc", "a*bc*bc", false), ("abc", "*d*", false),
    ("abab", "*ab", true), ("aaab", "*aab", true), ("", "", true), ("a", "", false), ("a", "a*a", false),
  ])
  func typePatternsMatch(type: Text, pattern: Text, matches: Bool) {
    var filter = EventFilter()
    filter.types = [pattern]
    #expect(filter.passes(type: type) == matches)
  }

  @Test func wildcardsInARowAreOne() throws {
    let filter = try EventFilter(text: #"{"types":["m.**","a***b*"],"not_types":["**x"]}"#)
    #expect(filter.types == ["m.*", "a*b*"] && filter.notTypes == ["*x"])
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
    let filter = { (text: Text) in try SyncFilter(text: text, maximumTimelineLimit: 100) }
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
