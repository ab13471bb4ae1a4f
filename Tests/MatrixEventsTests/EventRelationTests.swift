import MatrixEvents
import MatrixPrimitives
import Testing

/// One pair of events and the rule of the client-server API that their relation keeps or breaks.
struct RelationCase: Sendable, CustomStringConvertible {
  let rule: Text
  let what: Text
  let fault: RelationFault?
  var kind = EventRelation.Kind.replacement
  /// Changes a message and its edit, or what else relates to it.
  var change: @Sendable (inout Side, inout Side) -> Void = { _, _ in }

  struct Side: Sendable {
    var room = "!r:a.example"
    var type = EventType.message
    var sender = TestRoom.alice
    var isState = false
    var content: JSON = [:]

    var event: RelatedEvent {
      RelatedEvent(
        roomID: RoomID(unchecked: room), type: type, sender: sender, isState: isState, content: content)
    }
  }

  var description: String { "\(rule): \(what)" }

  static func relation(_ kind: Text, _ extra: [Text: JSON] = [:]) -> JSON {
    .object(extra.merging(["event_id": "$parent", "rel_type": .string(kind)]) { first, _ in first })
  }

  /// The parent and child; without a change the relation keeps all rules.
  var sides: (parent: Side, child: Side) {
    var (parent, child) = (Side(), Side())
    child.content = ["m.new_content": ["body": "new"], "m.relates_to": Self.relation(kind, ["key": "+"])]
    change(&parent, &child)
    return (parent, child)
  }

  static let replacements: [RelationCase] = [
    RelationCase(rule: "Validity of replacement events", what: "an edit", fault: nil),
    RelationCase(rule: "same room_id", what: "an edit from another room", fault: .otherRoom) { _, child in
      child.room = "!other:a.example"
    },
    RelationCase(rule: "same sender", what: "an edit by somebody else", fault: .otherSender) { _, child in
      child.sender = TestRoom.bob
    },
    RelationCase(rule: "same type", what: "an edit of another type", fault: .otherType) { parent, _ in
      parent.type = "m.sticker"
    },
    RelationCase(rule: "same type", what: "a plain edit of an encrypted event", fault: .otherType) { parent, _ in
      parent.type = EventType.encrypted
    },
    RelationCase(rule: "no state_key", what: "an edit of state", fault: .replacesState) { parent, _ in
      parent.isState = true
    },
    RelationCase(rule: "no state_key", what: "an edit that is state", fault: .replacesState) { _, child in
      child.isState = true
    },
    RelationCase(rule: "original no m.replace", what: "an edit of an edit", fault: .replacesReplacement) { parent, _ in
      parent.content["m.relates_to"] = relation(EventRelation.Kind.replacement)
    },
    RelationCase(rule: "original no m.replace", what: "an edit in a thread", fault: nil) { parent, _ in
      parent.content["m.relates_to"] = relation(EventRelation.Kind.thread)
    },
    RelationCase(rule: "original no m.replace", what: "an edit of a reply", fault: nil) { parent, _ in
      parent.content["m.relates_to"] = ["m.in_reply_to": ["event_id": "$other"]]
    },
    RelationCase(rule: "m.new_content", what: "an edit that says nothing", fault: .noNewContent) { _, child in
      child.content["m.new_content"] = nil
    },
    RelationCase(rule: "m.new_content", what: "new content that is no content", fault: .noNewContent) { _, child in
      child.content["m.new_content"] = "new"
    },
    RelationCase(rule: "Editing encrypted events", what: "new content within", fault: nil) { parent, child in
      (parent.type, child.type) = (EventType.encrypted, EventType.encrypted)
      child.content["m.new_content"] = nil
    },
    RelationCase(rule: "msgtype may change", what: "an emote for a text", fault: nil) { parent, child in
      parent.content["msgtype"] = "m.text"
      child.content["m.new_content"] = ["msgtype": "m.emote"]
    },
  ]

  static let others: [RelationCase] = [
    RelationCase(rule: "m.annotation", what: "a reaction", fault: nil, kind: "m.annotation") { _, child in
      child.type = EventType.reaction
    },
    RelationCase(rule: "key", what: "a reaction without a key", fault: .noKey, kind: "m.annotation") { _, child in
      child.content["m.relates_to"] = relation("m.annotation")
    },
    RelationCase(rule: "key", what: "a reaction whose key is a number", fault: .noKey, kind: "m.annotation") {
      $1.content["m.relates_to"] = relation("m.annotation", ["key": 1])
    },
    RelationCase(
      rule: "no annotation of annotations", what: "a reaction to a reaction", fault: .annotatesRelation,
      kind: "m.annotation"
    ) { parent, _ in parent.content["m.relates_to"] = relation("m.annotation", ["key": "+"]) },
    RelationCase(
      rule: "no annotation of replacements", what: "a reaction to an edit", fault: .annotatesRelation,
      kind: "m.annotation"
    ) { parent, _ in parent.content["m.relates_to"] = relation("m.replace") },
    RelationCase(rule: "any type", what: "a reaction to state", fault: nil, kind: "m.annotation") { parent, _ in
      parent.isState = true
    },
    RelationCase(rule: "same room", what: "a reaction from elsewhere", fault: .otherRoom, kind: "m.annotation") {
      parent, _ in
      parent.room = "!other:a.example"
    },
    RelationCase(rule: "Threading", what: "a thread", fault: nil, kind: "m.thread") { $1.sender = TestRoom.bob },
    RelationCase(rule: "Threading", what: "a thread below a reply", fault: nil, kind: "m.thread") { parent, _ in
      parent.content["m.relates_to"] = ["m.in_reply_to": ["event_id": "$other"]]
    },
    RelationCase(rule: "no nesting", what: "a thread in a thread", fault: .threadOfRelated, kind: "m.thread") {
      parent, _ in parent.content["m.relates_to"] = relation("m.thread")
    },
    RelationCase(rule: "no rel_type", what: "a thread at a reaction", fault: .threadOfRelated, kind: "m.thread") {
      parent, _ in parent.content["m.relates_to"] = relation("m.annotation")
    },
    RelationCase(rule: "no rel_type", what: "a thread at what nobody knows", fault: .threadOfRelated, kind: "m.thread")
    { parent, _ in parent.content["m.relates_to"] = relation("org.example.x") },
    RelationCase(rule: "same room", what: "a thread from elsewhere", fault: .otherRoom, kind: "m.thread") { parent, _ in
      parent.room = "!other:a.example"
    },
    RelationCase(rule: "m.reference", what: "a reference", fault: nil, kind: "m.reference") { parent, child in
      (parent.isState, child.type, child.sender) = (true, "m.key.verification.done", TestRoom.bob)
      parent.content["m.relates_to"] = relation("m.reference")
    },
    RelationCase(rule: "same room", what: "a reference from elsewhere", fault: .otherRoom, kind: "m.reference") {
      parent, _ in
      parent.room = "!other:a.example"
    },
    RelationCase(rule: "other kinds", what: "what nobody knows", fault: nil, kind: "org.example.x") { parent, _ in
      parent.content["m.relates_to"] = relation("m.replace")
    },
    RelationCase(rule: "same room", what: "what nobody knows from elsewhere", fault: .otherRoom, kind: "org.example.x")
    { parent, _ in parent.room = "!other:a.example" },
  ]
}

@Suite struct EventRelationTests {
  @Test(arguments: RelationCase.replacements + RelationCase.others)
  func decidesAsTheRuleSays(_ rule: RelationCase) {
    let (parent, child) = rule.sides
    #expect(child.event.relationFault(parent: parent.event) == rule.fault)
  }

  @Test func hasACaseForEachFault() {
    let faults = Set((RelationCase.replacements + RelationCase.others).compactMap(\.fault))
    #expect(faults == Set(RelationFault.allCases))
    #expect(Set(faults.filter(\.isRefused)) == [.otherRoom, .noKey, .threadOfRelated])
  }

  /// "Forming relationships between events": what does not match the schema is ignored.
  @Test(
    arguments: [
      ([:], false), (["m.relates_to": "x"], false), (["m.relates_to": ["rel_type": "m.x"]], false),
      (["m.relates_to": ["event_id": "$e"]], false), (["m.relates_to": ["rel_type": 1, "event_id": "$e"]], false),
      (["m.relates_to": ["rel_type": "m.x", "event_id": ["$e"]]], false),
      (["m.relates_to": ["m.in_reply_to": ["event_id": "$e"]]], false),
      (["m.relates_to": ["rel_type": "m.x\0", "event_id": "$e"]], false),
      (["m.relates_to": ["rel_type": "m.x", "event_id": "$e"]], true),
      (["m.relates_to": ["rel_type": "m.x", "event_id": "$e", "more": []]], true),
    ] as [(JSON, Bool)])
  func readsStrictly(_ content: JSON, _ isRelation: Bool) throws {
    let relation = EventRelation(content)
    #expect((relation != nil) == isRelation)
    #expect(EventRelation(try content.document()) == relation)
    if isRelation { #expect(relation?.type == "m.x" && relation?.parentID.rawValue == "$e") }
  }

  @Test(arguments: [(255, true), (256, false)])
  func boundsNames(_ length: Int, _ isRelation: Bool) {
    let long = Text(repeating: "x", count: length)
    for (type, parent) in [(long, "$e"), ("m.x", long)] {
      let content: JSON = ["m.relates_to": ["rel_type": .string(type), "event_id": .string(parent)]]
      #expect((EventRelation(content) != nil) == isRelation)
    }
  }

  @Test func readsWhatBelongsToAKindWithThatKindOnly() {
    func read(_ kind: Text) -> EventRelation? {
      EventRelation(["m.relates_to": RelationCase.relation(kind, ["key": "k", "is_falling_back": true])] as JSON)
    }
    #expect(read("m.annotation")?.key == "k" && read("m.thread")?.key == nil)
    #expect(read("m.thread")?.isFallingBack == true && read("m.annotation")?.isFallingBack == false)
  }

  /// "Rich replies" and "Fallback for unthreaded clients".
  @Test(
    arguments: [
      (["m.in_reply_to": ["event_id": "$e"]], true), (["m.in_reply_to": ["event_id": 5]], false),
      (["m.in_reply_to": ["event_id": "e"]], false), (["m.in_reply_to": "$e"], false), ([:], false),
      (
        ["m.in_reply_to": ["event_id": "$e"], "rel_type": "m.thread", "event_id": "$r", "is_falling_back": true], false
      ),
      (["m.in_reply_to": ["event_id": "$e"], "rel_type": "m.thread", "event_id": "$r"], true),
      (["m.in_reply_to": ["event_id": "$e"], "rel_type": "m.x", "event_id": "$r", "is_falling_back": true], true),
    ] as [(JSON, Bool)])
  func knowsReplies(_ relation: JSON, _ isReply: Bool) throws {
    let content: JSON = ["m.relates_to": relation]
    #expect(EventRelation.repliesTo(try content.document())?.rawValue == (isReply ? "$e" : nil))
  }

  /// Which relations an event may have to itself.
  @Test func knowsWhoMayBeAParent() {
    let kinds = ["m.annotation", "m.reference", "m.replace", "m.thread", "org.example.x"]
    func children(of change: (inout RelationCase.Side) -> Void) -> [Text] {
      var side = RelationCase.Side()
      change(&side)
      return kinds.filter { side.event.mayBeParent(of: $0) }
    }
    #expect(children { _ in } == kinds)
    #expect(children { $0.content["m.relates_to"] = ["m.in_reply_to": ["event_id": "$e"]] } == kinds)
    #expect(children { $0.isState = true }.isEmpty)
    for kind in ["m.annotation", "m.replace"] {
      #expect(children { $0.content["m.relates_to"] = RelationCase.relation(kind) }.isEmpty)
    }
    for kind in ["m.thread", "m.reference", "org.example.x"] {
      #expect(
        children { $0.content["m.relates_to"] = RelationCase.relation(kind) } == kinds.filter { $0 != "m.thread" })
    }
  }

  @Test func looksAtEventsAsAtWhatIsBeingMade() throws {
    var room = try TestRoom(.v11)
    let content: JSON = ["m.new_content": [:], "m.relates_to": RelationCase.relation("m.replace")]
    let event = RelatedEvent(try room.make(EventType.message, nil, TestRoom.alice, content))
    #expect(event.relation?.type == "m.replace" && event.mayReplaceContent && !event.isState)
    #expect(event.roomID == room.roomID && event.sender == TestRoom.alice && event.type == EventType.message)
    let original = RelatedEvent(try room.make(EventType.message, nil, TestRoom.alice, [:]))
    #expect(event.relationFault(parent: original) == nil && original.relationFault(parent: event) == nil)
  }
}
