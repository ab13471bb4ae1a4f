import MatrixEvents
import MatrixPrimitives
import Stores

/// What follows from a client's wanting other state of a room than before, or from members that it has to be sent.
///
/// What a client has been sent is remembered although it does not want it any more, as long as it stays the same: when the client wants it again,
/// it is not sent again.
struct SlidingRequiredStateChange {
  /// What the client has of the room's state from now on; nil when that is as before.
  private(set) var effective: SlidingRequiredState?
  /// The entries to be sent beside those that have changed.
  private(set) var added = StateFilter.none
  /// Members whose change is not sent, so that they count as never sent.
  private(set) var forgotten: Set<Text> = []
  /// Members that were sent because they were asked for by name, and count as loaded lazily from now on.
  private(set) var remembered: Set<Text> = []

  /// The greatest number of state keys of a type that are remembered of former requests and the present one, as on Synapse.
  private static let mostRemembered = 100

  /// The greatest number of entries that are remembered in all: where there would be more, only the present request counts.
  private static let mostEntries = 1_000

  private let user: Text
  private let returned: Set<Text>
  private let changed: [Text: Set<Text>]
  private var changes: [Text: Set<Text>] = [:]
  private var wantedTypes: [Text: Set<Text>?] = [:]

  /// Works out what follows.
  ///
  /// - Parameters:
  ///   - user: the user's id.
  ///   - previous: what the client has.
  ///   - wanted: what it wants.
  ///   - returned: members that were loaded lazily before, among those that matter here.
  ///   - lazy: members that the answer needs, but for those asked for by name.
  ///   - deltas: the entries that have changed since the client's last answer.
  init(
    user: Text, from previous: SlidingRequiredState, to wanted: SlidingRequiredState, returned: Set<Text>,
    lazy: Set<Text>, deltas: some Sequence<StateKey>
  ) {
    self.user = user
    self.returned = returned
    changed = deltas.reduce(into: [:]) { $0[$1.type, default: []].insert($1.stateKey) }
    forgotten = (changed[EventType.member] ?? []).subtracting(lazy).intersection(returned)
    guard previous != wanted else {
      addMembers(lazy)
      added = StateFilter(types: wantedTypes)
      return
    }
    if settleWildcards(previous, wanted) { return }
    for type in Set(previous.keys.keys).union(wanted.keys.keys) {
      let (old, new) = (previous.stateKeys(type), wanted.stateKeys(type))
      if old.isSuperset(of: new) { shrink(type, old, new) } else { grow(type, old, new) }
    }
    addMembers(lazy.subtracting(members(previous)))
    added = StateFilter(types: wantedTypes)
    remember(previous, wanted)
    guard !changes.isEmpty else { return }
    var keys = previous.keys
    for (type, stateKeys) in changes { keys[type] = stateKeys.isEmpty ? nil : stateKeys }
    let count = keys.values.reduce(0) { $0 + $1.count }
    effective = count > Self.mostEntries ? wanted : SlidingRequiredState(keys: keys)
  }

  /// Settles requests for types of any name, with which nothing is remembered.
  ///
  /// - Returns: whether there is nothing else to do.
  private mutating func settleWildcards(_ previous: SlidingRequiredState, _ wanted: SlidingRequiredState) -> Bool {
    let old = previous.stateKeys(SlidingRequiredState.wildcard)
    let new = wanted.stateKeys(SlidingRequiredState.wildcard)
    guard previous.isEverything || old != new else { return false }
    effective = wanted
    if !previous.isEverything, !old.isSuperset(of: new) { added = .all }
    return true
  }

  // MARK: Types

  /// Takes note that more state keys of a type are wanted.
  private mutating func grow(_ type: Text, _ old: Set<Text>, _ new: Set<Text>) {
    let gone = old.subtracting(new).intersection(changed[type] ?? [])
    let kept = old.subtracting([SlidingRequiredState.wildcard, SlidingRequiredState.lazy]).subtracting(gone)
    let becomesLazy =
      type == EventType.member && new.contains(SlidingRequiredState.lazy)
      && !old.contains(SlidingRequiredState.lazy)
    var remembered = new
    if !becomesLazy {
      for key in kept where remembered.count < Self.mostRemembered { remembered.insert(key) }
    }
    changes[type] = remembered
    guard !old.contains(SlidingRequiredState.wildcard) else { return }
    if new.contains(SlidingRequiredState.wildcard) {
      wantedTypes[type] = .some(nil)
      return
    }
    for key in new.subtracting(old) where key != SlidingRequiredState.lazy {
      let key = key == SlidingRequiredState.me ? user : key
      if type != EventType.member || !returned.contains(key) { want(type, key) }
    }
  }

  /// Takes note that fewer state keys of a type are wanted: those that have changed are not remembered.
  private mutating func shrink(_ type: Text, _ old: Set<Text>, _ new: Set<Text>) {
    guard old != new, var changed = changed[type] else { return }
    if changed.contains(user) { changed.insert(SlidingRequiredState.me) }
    let gone = old.subtracting(new).intersection(changed)
    func differs(_ word: Text) -> Bool { old.contains(word) != new.contains(word) }
    if differs(SlidingRequiredState.wildcard) {
      changes[type] = new
    } else if type == EventType.member, differs(SlidingRequiredState.lazy) {
      changes[type] = new
    } else if type == EventType.member, old.contains(SlidingRequiredState.lazy), !gone.isEmpty {
      changes[type] = new
    } else if !gone.isEmpty {
      changes[type] = old.subtracting(gone)
    }
  }

  // MARK: Members

  private mutating func addMembers(_ lazy: Set<Text>) {
    for member in lazy.subtracting(returned) { want(EventType.member, member) }
  }

  private mutating func want(_ type: Text, _ key: Text) {
    // No stored event has a zero byte there.
    guard !type.contains(0), !key.contains(0) else { return }
    if let wanted = wantedTypes[type], wanted == nil { return }
    var keys = wantedTypes[type].flatMap { $0 } ?? []
    keys.insert(key)
    wantedTypes[type] = .some(keys)
  }

  /// Returns the members that a choice names.
  private func members(_ choice: SlidingRequiredState) -> Set<Text> {
    var members = choice.stateKeys(EventType.member)
    if members.remove(SlidingRequiredState.me) != nil { members.insert(user) }
    return members.subtracting([SlidingRequiredState.lazy, SlidingRequiredState.wildcard])
  }

  private mutating func remember(_ previous: SlidingRequiredState, _ wanted: SlidingRequiredState) {
    guard wanted.isLazy, changes[EventType.member]?.isEmpty == false else { return }
    remembered = members(previous).subtracting(changed[EventType.member] ?? [])
  }
}
