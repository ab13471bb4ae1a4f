import MatrixEvents
import MatrixPrimitives
import Postgres

/// What the persister asks before it writes.
extension EventStore {
  /// The place of a stored event.
  package struct StoredPlace: Sendable {
    /// Whether the event is an outlier.
    package let isOutlier: Bool
    /// The place in the stream.
    package let streamOrdering: Int64
    /// The process that stored it.
    package let instanceName: Text
  }

  /// The key of a row in the table of transactions.
  package struct TransactionName: Hashable, Sendable {
    let roomID: Text
    let sender: Text
    let device: Text
    /// The client's id, or the id with the path.
    package let text: Text

    /// Describes a key.
    package init(roomID: Text, sender: Text, device: Text, text: Text) {
      self.roomID = roomID
      self.sender = sender
      self.device = device
      self.text = text
    }
  }

  /// Finds those of some events that are stored, and the events that have taken names of transactions, in one statement.
  ///
  /// Arrays are in subqueries so that their lengths do not count for the plan: it is made once then, and not for each batch.
  /// `LIMIT` keeps the index in use, however small the table looked when that was.
  package func known(
    _ events: [EventID], _ names: [TransactionName]
  ) async throws -> (stored: [EventID: StoredPlace], takers: [TransactionName: EventID]) {
    guard !events.isEmpty else { return ([:], [:]) }
    let rows = try await database.run(
      """
      SELECT event_id, outlier, stream_ordering, COALESCE(instance_name, 'master'), NULL, NULL, NULL, NULL FROM events
      WHERE event_id = ANY(\(unseen: events.map(\.rawValue)))
      UNION ALL
      SELECT t.event_id, false, 0, '', q.room_id, q.user_id, q.device_id, q.txn_id
      FROM unnest((SELECT \(names.map(\.roomID))::text[]), (SELECT \(names.map(\.sender))::text[]),
        (SELECT \(names.map(\.device))::text[]), (SELECT \(names.map(\.text))::text[]))
        AS q(room_id, user_id, device_id, txn_id)
      CROSS JOIN LATERAL (
        SELECT event_id FROM event_txn_id_device_id
        WHERE user_id = q.user_id AND device_id = q.device_id AND room_id = q.room_id AND txn_id = q.txn_id
        LIMIT 1) AS t
      """)
    var stored: [EventID: StoredPlace] = [:]
    var takers: [TransactionName: EventID] = [:]
    for row in rows {
      let (id, isOutlier, stream, instance) = try row.decode(Text.self, Bool.self, Int64.self, Text.self)
      if let text = try row.get(7, as: Text?.self) {
        let name = TransactionName(
          roomID: try row.get(4), sender: try row.get(5), device: try row.get(6), text: text)
        takers[name] = EventID(unchecked: id)
      } else {
        stored[EventID(unchecked: id)] = StoredPlace(
          isOutlier: isOutlier, streamOrdering: stream, instanceName: instance)
      }
    }
    return (stored, takers)
  }

  /// Reads the places of events as they are on disk.
  package func placesOnDisk(_ events: [EventID]) async throws -> [EventID: StoredPlace] {
    let places: SQL = """
      SELECT event_id, stream_ordering, outlier, COALESCE(instance_name, 'master') FROM events
      WHERE event_id = ANY(\(events.map(\.rawValue))::text[])
      """
    let rows = try await database.transaction("find_persisted_events") { txn in
      let rows = try txn.query(places)
      txn.flushWhatIsSeen()
      return rows
    }
    var found: [EventID: StoredPlace] = [:]
    for row in rows {
      let (id, place, isOutlier, instance) = try row.decode(Text.self, Int64.self, Bool.self, Text.self)
      found[EventID(unchecked: id)] = StoredPlace(isOutlier: isOutlier, streamOrdering: place, instanceName: instance)
    }
    return found
  }

  // MARK: the graph

  // Within a JSON string no quotation mark stands without a backslash, so nothing that a client sent can look like this, and
  // unlike parsing it the comparison cannot fail.
  private static let isSoftFailed: SQL = "(j.internal_metadata ~ '\"soft_failed\"[[:space:]]*:[[:space:]]*true')"

  /// Finds those events that an accepted event follows.
  package func followed(_ ids: Set<EventID>) async throws -> Set<EventID> {
    let rows = try await database.run(
      """
      SELECT DISTINCT g.prev_event_id FROM event_edges AS g
      JOIN events AS e ON e.event_id = g.event_id
      JOIN event_json AS j ON j.event_id = g.event_id
      LEFT JOIN rejections AS x ON x.event_id = g.event_id
      WHERE g.prev_event_id = ANY(\(ids.map(\.rawValue))::text[]) AND NOT e.outlier AND x.event_id IS NULL
        AND NOT \(Self.isSoftFailed)
      """)
    return Set(try rows.map { EventID(unchecked: try $0.get(0)) })
  }

  /// Finds the ancestors that are reached through soft-failed or refused events only: an event that follows a soft-failed
  /// one stands for what that one follows, too.
  package func behindRefused(_ ids: Set<EventID>) async throws -> Set<EventID> {
    guard !ids.isEmpty else { return [] }
    let rows = try await database.run(
      """
      WITH RECURSIVE reached(id) AS (
        SELECT g.prev_event_id FROM event_edges AS g
        JOIN events AS e ON e.event_id = g.event_id
        JOIN event_json AS j ON j.event_id = g.event_id
        LEFT JOIN rejections AS x ON x.event_id = g.event_id
        WHERE g.event_id = ANY(\(ids.map(\.rawValue))::text[]) AND NOT e.outlier
          AND (x.event_id IS NOT NULL OR \(Self.isSoftFailed))
        UNION
        SELECT g.prev_event_id FROM reached
        JOIN event_edges AS g ON g.event_id = reached.id
        JOIN events AS e ON e.event_id = g.event_id
        JOIN event_json AS j ON j.event_id = g.event_id
        LEFT JOIN rejections AS x ON x.event_id = g.event_id
        WHERE NOT e.outlier AND (x.event_id IS NOT NULL OR \(Self.isSoftFailed))
      )
      SELECT id FROM reached
      """)
    return Set(try rows.map { EventID(unchecked: try $0.get(0)) })
  }
}
