import MatrixEvents
import MatrixPrimitives
import Stores
import Testing

@testable import SyncEngine

/// Choices of state, and what follows from changing them.
@Suite struct SlidingRequiredStateTests {
  private let member = EventType.member

  private func choice(_ pairs: (Text, Text)...) -> SlidingRequiredState {
    var choice = SlidingRequiredState()
    for (type, key) in pairs { choice.insert(type, key) }
    return choice
  }

  private func change(
    _ old: SlidingRequiredState, _ new: SlidingRequiredState, returned: Set<Text> = [], lazy: Set<Text> = [],
    deltas: [StateKey] = []
  ) -> SlidingRequiredStateChange {
    SlidingRequiredStateChange(user: "@me:test", from: old, to: new, returned: returned, lazy: lazy, deltas: deltas)
  }

  @Test func whatIsComprisedIsLeftOut() {
    #expect(choice(("a", "1"), ("a", "*"), ("a", "2")).keys == ["a": ["*"]])
    #expect(choice(("a", "1"), ("b", "1"), ("b", "2"), ("*", "1"), ("c", "1")).keys == ["*": ["1"], "b": ["2"]])
    #expect(choice(("a", "1"), ("*", "*"), ("b", "2")).keys == ["*": ["*"]])
    #expect(choice((member, "$LAZY"), (member, "*")).isLazy == false)
    #expect(choice((member, "$LAZY"), (member, "$ME")).isLazy)
    #expect(choice((member, "$LAZY"), ("*", "x")).isLazy == false)
  }

  @Test func aUnionHasEverythingOfBoth() {
    #expect(choice(("a", "1")).combined(with: choice(("a", "2"), ("b", ""))).keys == ["a": ["1", "2"], "b": [""]])
    #expect(choice(("a", "1")).combined(with: choice(("*", "1"))).keys == ["*": ["1"]])
    #expect(choice(("*", "*")).combined(with: choice(("a", "1"))).isEverything)
  }

  @Test func theStoredFormIsReadBack() throws {
    let wanted = choice(("b", "\u{0}\"ä"), ("a", "2"), ("a", "1"))
    #expect(choice(("b", "x"), ("a", "2"), ("a", "1")).stored == #"[["a","1"],["a","2"],["b","x"]]"#)
    #expect(try SlidingRequiredState(stored: wanted.stored) == wanted)
    #expect(try SlidingRequiredState(stored: #"[["a"],7,["b","c"],null]"#).keys == ["b": ["c"]])
  }

  @Test func moreIsFetchedAndLessIsRememberedUntilItChanges() {
    let grown = change(choice(("a", "1")), choice(("a", "1"), ("a", "2"), ("b", "*"), (member, "$ME")))
    #expect(grown.added == StateFilter(types: ["a": ["2"], "b": nil, member: ["@me:test"]]))
    #expect(grown.effective?.keys == ["a": ["1", "2"], "b": ["*"], member: ["$ME"]])
    let shrunk = change(choice(("a", "1"), ("a", "2")), choice(("a", "1")))
    #expect(shrunk.added == .none && shrunk.effective == nil, "both are remembered")
    let changed = change(choice(("a", "1"), ("a", "2")), choice(("a", "1")), deltas: [StateKey("a", "2")])
    #expect(changed.effective?.keys == ["a": ["1"]])
    let gone = change(choice(("a", "1"), ("b", "")), choice(("b", "")), deltas: [StateKey("a", "1")])
    #expect(gone.effective?.keys == ["b": [""]])
    let me = change(choice((member, "$ME")), choice(("b", "")), deltas: [StateKey(member, "@me:test")])
    #expect(me.effective?.keys == ["b": [""]])
    let other = change(choice(("a", "1"), ("a", "2")), choice(("a", "3")), deltas: [StateKey("a", "2")])
    #expect(other.effective?.keys == ["a": ["1", "3"]])
  }

  @Test func ofVeryManyKeysSomeAreRemembered() {
    var (old, new) = (SlidingRequiredState(), SlidingRequiredState())
    for number in 0..<150 { old.insert("a", "\(number)") }
    new.insert("a", "new")
    let effective = change(old, new).effective
    #expect(effective?.keys["a"]?.count == 100 && effective?.keys["a"]?.contains("new") == true)
    for number in 0..<150 { new.insert("a", "n\(number)") }
    #expect(change(old, new).effective == new)
  }

  @Test func anyTypeIsEverythingOrNothing() {
    #expect(change(choice(("a", "1")), choice(("*", "x"))).added == .all)
    let less = change(choice(("*", "x")), choice(("a", "1")))
    #expect(less.added == .none && less.effective?.keys == ["a": ["1"]])
    let narrowed = change(choice(("*", "*")), choice(("a", "1")))
    #expect(narrowed.added == .none && narrowed.effective?.keys == ["a": ["1"]])
    #expect(change(choice(("*", "*")), choice(("*", "*"))).effective == nil)
    #expect(change(choice(("a", "*")), choice(("a", "1"))).added == .none)
  }

  @Test func membersAreFetchedOnce() {
    let lazy = choice((member, "$LAZY"))
    let known = change(lazy, lazy, returned: ["@a:test"], lazy: ["@a:test", "@b:test"])
    #expect(known.added == StateFilter(types: [member: ["@b:test"]]) && known.effective == nil)
    let forgotten = change(
      lazy, lazy, returned: ["@a:test"], deltas: [StateKey(member, "@a:test"), StateKey(member, "@b:test")])
    #expect(forgotten.forgotten == ["@a:test"])
    let named = change(lazy, choice((member, "$LAZY"), (member, "@a:test")), returned: ["@a:test"])
    #expect(named.added == .none)
    let becomesLazy = change(choice((member, "@a:test"), (member, "$ME")), lazy, lazy: ["@a:test", "@c:test"])
    #expect(becomesLazy.added == StateFilter(types: [member: ["@c:test"]]))
    #expect(becomesLazy.remembered == ["@a:test", "@me:test"] && becomesLazy.effective == lazy)
    let zero = change(lazy, choice((member, "$LAZY"), ("a\u{0}", ""), ("b", "\u{0}")))
    #expect(zero.added == .none)
  }
}
