import MatrixPrimitives
import Postgres

/// Holds a room event filter of the client-server API, compiled for SQL and for events in memory.
///
/// Types may contain `*`; the lists of things not wanted win over the lists of things wanted.
public struct RoomEventFilter: Sendable, Equatable {
  /// Lists the types wanted; nil for all.
  public var types: [Text]?
  /// Lists the types not wanted.
  public var notTypes: [Text] = []
  /// Lists the senders wanted; nil for all.
  public var senders: [Text]?
  /// Lists the senders not wanted.
  public var notSenders: [Text] = []
  /// Lists the rooms wanted; nil for all.
  public var rooms: [Text]?
  /// Lists the rooms not wanted.
  public var notRooms: [Text] = []
  /// Holds whether events must (true) or must not (false) have a `url` in their content; nil when it does not matter.
  public var containsURL: Bool?
  /// Tells whether only the members are wanted who have sent something.
  public var lazyLoadMembers = false
  /// Tells whether members are sent again that the client knows already.
  public var includeRedundantMembers = false
  /// Holds relation types of which one must point at a wanted event; nil when it does not matter.
  public var relatedByRelationTypes: [Text]?
  /// Holds senders of whom one must have related to a wanted event; nil when it does not matter.
  public var relatedBySenders: [Text]?
  /// Holds the number of events asked for, if the filter names one.
  public var limit: Int64?
  /// Tells whether events are wanted in the format of federation.
  public var wantsFederationFormat = false

  /// Makes the filter that lets everything pass.
  public init() {}

  /// Reads a filter object.
  ///
  /// - Throws: `MatrixError` 400 `M_BAD_JSON` when a member has the wrong type.
  public init(_ value: JSONValue) throws(MatrixError) {
    guard value.kind == .object else { throw MatrixError.badJSON("filter is not an object") }
    types = try Self.strings(value, "types")
    notTypes = try Self.strings(value, "not_types") ?? []
    senders = try Self.strings(value, "senders")
    notSenders = try Self.strings(value, "not_senders") ?? []
    rooms = try Self.strings(value, "rooms")
    notRooms = try Self.strings(value, "not_rooms") ?? []
    containsURL = try value.optionalBool("contains_url")
    lazyLoadMembers = try value.optionalBool("lazy_load_members") ?? false
    includeRedundantMembers = try value.optionalBool("include_redundant_members") ?? false
    relatedByRelationTypes = try Self.strings(value, "related_by_rel_types")
    relatedBySenders = try Self.strings(value, "related_by_senders")
    limit = try value.optionalInteger("limit")
    wantsFederationFormat = value["event_format"]?.string == "federation"
  }

  /// How many elements a list may have that is compared with every event.
  private static let mostElements = 500

  private static func strings(_ value: JSONValue, _ key: Text) throws(MatrixError) -> [Text]? {
    guard let member = value[key], !member.isNull else { return nil }
    guard let elements = member.elements else { throw MatrixError.badJSON("\(key) is not a list") }
    guard elements.count <= mostElements else {
      throw MatrixError.badJSON("\(key) has more than \(mostElements) elements")
    }
    var result: [Text] = []
    for element in elements {
      guard let text = element.string else { throw MatrixError.badJSON("\(key) contains something other than strings") }
      result.append(text)
    }
    return result
  }

  /// Tells whether no event of the room can pass.
  public func excludes(room: Text) -> Bool {
    notRooms.contains(room) || (rooms.map { !$0.contains(room) } ?? false)
  }

  /// Builds the conditions on table `events` (under the alias `e`), each beginning with ` AND `; empty when all pass.
  public var condition: SQL {
    var sql: SQL = ""
    if let types { sql = "\(sql) AND (\(Self.anyType(types)))" }
    if !notTypes.isEmpty { sql = "\(sql) AND NOT (\(Self.anyType(notTypes)))" }
    if let senders { sql = "\(sql) AND e.sender = ANY(\(senders)::text[])" }
    if !notSenders.isEmpty { sql = "\(sql) AND NOT (e.sender = ANY(\(notSenders)::text[]))" }
    if let containsURL { sql = "\(sql) AND coalesce(e.contains_url, false) = \(containsURL)" }
    if relatedByRelationTypes != nil || relatedBySenders != nil { sql = "\(sql)\(relatedCondition)" }
    return sql
  }

  private static func anyType(_ types: [Text]) -> SQL {
    let star = UInt8(ascii: "*")
    let exact = types.filter { !$0.utf8.contains(star) }
    let patterns = types.filter { $0.utf8.contains(star) }.map { LikePattern(wildcards: $0).text }
    return "e.type = ANY(\(exact)::text[]) OR e.type LIKE ANY(\(patterns)::text[])"
  }

  private var relatedCondition: SQL {
    var sql: SQL = " AND EXISTS (SELECT 1 FROM event_relations AS er"
    if relatedBySenders != nil { sql = "\(sql) JOIN events AS re ON re.event_id = er.event_id" }
    sql = "\(sql) WHERE er.relates_to_id = e.event_id"
    if let relatedByRelationTypes { sql = "\(sql) AND er.relation_type = ANY(\(relatedByRelationTypes)::text[])" }
    if let relatedBySenders { sql = "\(sql) AND re.sender = ANY(\(relatedBySenders)::text[])" }
    return "\(sql))"
  }

  /// Tells whether an event of this type and sender passes the lists (not the conditions on URLs and relations).
  public func allows(type: Text, sender: Text) -> Bool {
    if notSenders.contains(sender) || notTypes.contains(where: { Self.matches(type, $0) }) { return false }
    if let senders, !senders.contains(sender) { return false }
    if let types, !types.contains(where: { Self.matches(type, $0) }) { return false }
    return true
  }

  /// Matches a type against a pattern in which `*` stands for any run of characters, byte by byte.
  static func matches(_ type: Text, _ pattern: Text) -> Bool {
    guard pattern.contains(UInt8(ascii: "*")) else { return type == pattern }
    let text = Array(type.utf8)
    let parts = pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map { Array($0) }
    guard let first = parts.first, let last = parts.last, text.count >= first.count + last.count,
      text.starts(with: first), text.suffix(last.count).elementsEqual(last)
    else { return false }
    var rest = text[first.count..<(text.count - last.count)]
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let end = Self.end(of: part, in: rest) else { return false }
      rest = rest[end...]
    }
    return true
  }

  private static func end(of part: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
    guard part.count <= text.count else { return nil }
    for start in text.startIndex...(text.endIndex - part.count) where text[start...].starts(with: part) {
      return start + part.count
    }
    return nil
  }
}
