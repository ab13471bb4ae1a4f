import MatrixEvents
import MatrixPrimitives
import Stores

/// The body of `/search`, checked.
public struct SearchRequest: Sendable {
  enum Order { case rank, recent }

  /// The page that a token asks for.
  struct Batch {
    /// The kind of group to stay in: `room_id`, or `all`.
    let group: Text
    /// The group's key.
    let key: Text
    /// The place where the last page ended, as written.
    let place: Text
  }

  /// What is wanted around each event.
  struct Context {
    let before: Int
    let after: Int
    let includesProfiles: Bool
  }

  let term: Text
  let keys: [Text]
  let filter: EventFilter
  let order: Order
  let includesState: Bool
  let groups: Set<Text>
  let context: Context?
  let batch: Batch?

  /// The longest search term, in bytes.
  static let longestTerm = 4_096
  /// The greatest number of events before or after a result.
  static let mostNeighbours = 100
  /// The greatest number of events before, or after, all results together.
  static let mostNeighboursOfPage = 5_000
  private static let standardKeys = ["content.body", "content.name", "content.topic"]

  /// Reads a body and the token of the query.
  ///
  /// - Throws: `MatrixError` 400 for what is missing or of a wrong type, 413 for a search term longer than ``longestTerm``.
  public init(_ body: JSONValue, batch: Text?) throws(MatrixError) {
    self.batch = try batch.map(Self.batch)
    guard let category = try body.optionalObject("search_categories")?.optionalObject("room_events"),
      category["search_term"] != nil
    else { throw .unknown("Invalid search query", status: 400) }
    term = try category.requireString("search_term")
    guard term.utf8.count <= Self.longestTerm else {
      throw .tooLarge("The search term is longer than \(Self.longestTerm) bytes")
    }
    keys = try Self.keys(category)
    filter =
      try category.optionalObject("filter").map { value throws(MatrixError) in try EventFilter(definition: value) }
      ?? EventFilter()
    switch try category.optionalString("order_by") ?? "rank" {
    case "rank": order = .rank
    case "recent": order = .recent
    case let other: throw .unknown("Invalid order by: '\(other)'", status: 400)
    }
    includesState = try category.optionalBool("include_state") ?? false
    groups = try Self.groups(category)
    context = try category.optionalObject("event_context").map { value throws(MatrixError) in
      Context(
        before: try Self.neighbours(value, "before_limit"), after: try Self.neighbours(value, "after_limit"),
        includesProfiles: try value.optionalBool("include_profile") ?? false)
    }
  }

  private static func keys(_ category: JSONValue) throws(MatrixError) -> [Text] {
    guard let list = try category.optionalArray("keys") else { return standardKeys }
    var keys: [Text] = []
    for element in list {
      guard let key = element.string else { throw .badJSON("'keys' contains something other than strings") }
      // Nothing else is searched.
      if standardKeys.contains(key) { keys.append(key) }
    }
    return keys
  }

  private static func groups(_ category: JSONValue) throws(MatrixError) -> Set<Text> {
    guard let list = try category.optionalObject("groupings")?.optionalArray("group_by") else { return [] }
    var groups: Set<Text> = []
    for element in list {
      guard let key = element["key"] else { throw .unknown("Invalid search query", status: 400) }
      guard let name = key.string, name == "room_id" || name == "sender" else {
        throw .unknown("Invalid group by keys", status: 400)
      }
      groups.insert(name)
    }
    return groups
  }

  private static func neighbours(_ context: JSONValue, _ key: Text) throws(MatrixError) -> Int {
    guard let count = try context.optionalInteger(key) else { return 5 }
    guard count >= 0 else { throw .invalidParam("\(key) must not be negative") }
    return min(Int(clamping: count), mostNeighbours)
  }

  private static func batch(_ token: Text) throws(MatrixError) -> Batch {
    guard let bytes = UnpaddedBase64.decode(token), let text = Text(validating: bytes, as: UTF8.self) else {
      throw .unknown("Invalid batch", status: 400)
    }
    let parts = text.split(separator: UInt8(ascii: "\n"), maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw .unknown("Invalid batch", status: 400) }
    return Batch(group: parts[0], key: parts[1], place: parts[2])
  }

  /// Writes a token.
  static func token(_ group: Text, _ key: Text, _ place: SearchStore.Place) -> Text {
    UnpaddedBase64.encode("\(group)\n\(key)\n\(place.originServerTS),\(place.streamOrdering)".utf8)
  }

  /// The place where the last page ended.
  ///
  /// - Throws: `MatrixError` 400 when the token has none.
  var place: SearchStore.Place? {
    get throws(MatrixError) {
      guard let batch else { return nil }
      let parts = batch.place.split(separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 2, let time = Int64(parts[0]), let stream = Int64(parts[1]) else {
        throw .unknown("Invalid pagination token", status: 400)
      }
      return SearchStore.Place(originServerTS: time, streamOrdering: stream)
    }
  }
}
