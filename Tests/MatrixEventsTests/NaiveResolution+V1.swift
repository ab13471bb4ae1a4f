import Crypto
import MatrixEvents
import MatrixPrimitives

extension NaiveResolution {
  /// Resolves as the page of room version 1 says it: passes over power levels, join rules, members and the rest.
  func resolveByDepth(_ sets: [StateMap]) -> StateMap {
    var result: StateMap = [:]
    var disputed: [StateKey: [Event]] = [:]
    for key in Set(sets.flatMap(\.keys)) {
      let ids = Set(sets.compactMap { $0[key] })
      if let only = ids.first, ids.count == 1 { result[key] = only } else { disputed[key] = byDepth(ids) }
    }
    for type in [EventType.powerLevels, EventType.joinRules, EventType.member] {
      let agreed = result
      for (key, list) in disputed where key.type == type {
        var own = agreed
        own[key] = list[0].eventID
        for event in list.dropFirst() {
          if !isAllowed(event, in: own) { break }
          own[key] = event.eventID
        }
        result[key] = own[key]
      }
    }
    for (key, list) in disputed where result[key] == nil {
      result[key] = (list.last { isAllowed($0, in: result) } ?? list[0]).eventID
    }
    return result
  }

  private func isAllowed(_ event: Event, in state: StateMap) -> Bool {
    (try? AuthRules.check(event, state: AuthEvents(state.values.compactMap { events[$0] }))) != nil
  }

  private func byDepth(_ ids: Set<EventID>) -> [Event] {
    func hash(_ event: Event) -> Text {
      Text(hexadecimal: Insecure.SHA1.hash(data: Array(event.eventID.rawValue.utf8)))
    }
    return ids.compactMap { events[$0] }.sorted { a, b in
      a.depth != b.depth ? a.depth < b.depth : hash(a) > hash(b)
    }
  }
}
