import MatrixEvents
import MatrixPrimitives
import Postgres

/// A choice of entries of a room's state.
public struct StateFilter: Sendable, Hashable {
  /// The wanted state keys of a type; a nil value stands for all keys of that type.
  public let types: [Text: Set<Text>?]
  /// Whether types that are not listed are wanted as well.
  public let includesOthers: Bool

  /// Makes a filter.
  public init(types: [Text: Set<Text>?], includesOthers: Bool = false) {
    self.types = types
    self.includesOthers = includesOthers
  }

  /// The filter that wants everything.
  public static let all = StateFilter(types: [:], includesOthers: true)
  /// The filter that wants nothing.
  public static let none = StateFilter(types: [:])
  /// The filter that wants everything but memberships.
  public static let nonMembers = StateFilter(types: ["m.room.member": .some([])], includesOthers: true)
  /// The filter that wants all memberships and nothing else.
  public static let members = StateFilter(types: ["m.room.member": nil])

  /// Wants the given entries.
  public static func keys(_ keys: some Sequence<StateKey>) -> StateFilter {
    var types: [Text: Set<Text>?] = [:]
    for key in keys {
      var wanted = types[key.type].flatMap { $0 } ?? []
      wanted.insert(key.stateKey)
      types[key.type] = .some(wanted)
    }
    return StateFilter(types: types)
  }

  /// Wants everything but memberships, and the memberships of the given users.
  public static func lazyMembers(_ users: some Sequence<UserID>) -> StateFilter {
    StateFilter(types: ["m.room.member": .some(Set(users.map(\.rawValue)))], includesOthers: true)
  }

  /// Wants what any of the filters wants; nothing when there are none.
  public static func union(_ filters: some Collection<StateFilter>) -> StateFilter {
    guard let first = filters.first else { return .none }
    var (types, includesOthers) = (first.types, first.includesOthers)
    for filter in filters.dropFirst() {
      for (type, keys) in filter.types {
        if types[type] == nil {
          types[type] = .some(includesOthers ? nil : keys)
        } else if let keys {
          types[type]??.formUnion(keys)
        } else {
          types[type] = .some(nil)
        }
      }
      guard filter.includesOthers else { continue }
      for type in Array(types.keys) where filter.types[type] == nil { types[type] = .some(nil) }
      includesOthers = true
    }
    return StateFilter(types: types, includesOthers: includesOthers)
  }

  /// Whether everything is wanted.
  public var isAll: Bool { includesOthers && types.values.allSatisfy { $0 == nil } }

  /// Returns whether an entry is wanted.
  public func includes(_ key: StateKey) -> Bool {
    guard let keys = types[key.type] else { return includesOthers }
    return keys?.contains(key.stateKey) ?? true
  }

  /// The wanted entries when they are finite; nil when whole types are wanted.
  public var exactKeys: [StateKey]? {
    guard !includesOthers else { return nil }
    var keys: [StateKey] = []
    for (type, wanted) in types {
      guard let wanted else { return nil }
      for key in wanted { keys.append(StateKey(type, key)) }
    }
    return keys
  }

  /// The condition on rows with columns `type` and `state_key`; begins with `AND` when it is not empty.
  var condition: SQL {
    if isAll { return "" }
    var exactTypes: [Text] = []
    var exactKeys: [Text] = []
    var wholeTypes: [Text] = []
    for (type, keys) in types.sorted(by: { $0.key < $1.key }) {
      guard let keys else {
        wholeTypes.append(type)
        continue
      }
      for key in keys.sorted() {
        exactTypes.append(type)
        exactKeys.append(key)
      }
    }
    let listed: SQL = """
      (type = ANY(\(wholeTypes)::text[]) OR
        (type, state_key) IN (SELECT * FROM unnest(\(exactTypes)::text[], \(exactKeys)::text[])))
      """
    guard includesOthers else { return "AND \(listed)" }
    return "AND (\(listed) OR type <> ALL(\(types.keys.sorted())::text[]))"
  }
}
