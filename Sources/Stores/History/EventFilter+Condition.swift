import MatrixEvents
import MatrixPrimitives
import Postgres

extension EventFilter {
  /// The filter for rows of `events AS e`; empty when everything passes, else beginning with ` AND`. Rooms and the limit are left out.
  ///
  /// Filtering in the database finds the newest events that pass, however many others lie between.
  public var condition: SQL {
    var sql: SQL = ""
    if let types { sql = sql + " AND (" + Self.matches(types) + ")" }
    if !notTypes.isEmpty { sql = sql + " AND NOT (" + Self.matches(notTypes) + ")" }
    if let senders { sql = sql + " AND e.sender = ANY(\(senders.sorted())::text[])" }
    if !notSenders.isEmpty { sql = sql + " AND e.sender <> ALL(\(notSenders.sorted())::text[])" }
    if let containsURL { sql = sql + " AND COALESCE(e.contains_url, false) = \(containsURL)::boolean" }
    if let labels {
      sql =
        sql
        + " AND EXISTS (SELECT 1 FROM event_labels AS l WHERE l.event_id = e.event_id AND l.label = ANY(\(labels)::text[]))"
    }
    if !notLabels.isEmpty {
      sql =
        sql
        + " AND NOT EXISTS (SELECT 1 FROM event_labels AS l WHERE l.event_id = e.event_id AND l.label = ANY(\(notLabels)::text[]))"
    }
    return asksForRelations ? sql + relationCondition : sql
  }

  private var relationCondition: SQL {
    let bySenders = relatedBySenders?.isEmpty == false
    var sql: SQL = " AND EXISTS (SELECT 1 FROM event_relations AS r"
    if bySenders { sql = sql + " JOIN events AS c ON c.event_id = r.event_id" }
    sql = sql + " WHERE r.relates_to_id = e.event_id"
    if bySenders, let relatedBySenders { sql = sql + " AND c.sender = ANY(\(relatedBySenders)::text[])" }
    if let relatedByRelationTypes, !relatedByRelationTypes.isEmpty {
      sql = sql + " AND r.relation_type = ANY(\(relatedByRelationTypes)::text[])"
    }
    return sql + ")"
  }

  /// Compiles "the type is one of these", `*` standing for any run of characters.
  private static func matches(_ types: [Text]) -> SQL {
    let star = UInt8(ascii: "*")
    let exact = types.filter { !$0.utf8.contains(star) }
    let patterns = types.filter { $0.utf8.contains(star) }.map { LikePattern(wildcards: $0).text }
    return "e.type = ANY(\(exact)::text[]) OR e.type LIKE ANY(\(patterns)::text[])"
  }
}
