import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres

/// The conversion of rows of `events` and `event_json` into ``StoredEvent``s, with redactions applied.
struct EventRows: Sendable {
  let logger: Logger

  /// The columns that ``stored(_:from:)`` reads, for the table alias `e`; the caller adds its own columns before or
  /// after.
  static let columns: SQL = """
    e.event_id, e.stream_ordering, COALESCE(e.instance_name, 'master'), e.outlier, x.reason, e.received_ts,
    j.internal_metadata, j.json, COALESCE(j.format_version, 1), r.room_version
    """

  /// The joins that ``columns`` needs, to the table alias `e`.
  static let joins: SQL = """
    JOIN event_json AS j ON j.event_id = e.event_id
    LEFT JOIN rooms AS r ON r.room_id = e.room_id
    LEFT JOIN rejections AS x ON x.event_id = e.event_id
    """

  /// Reads the events with the given ids.
  static func events(_ ids: [Text]) -> SQL {
    "SELECT \(columns) FROM events AS e \(joins) WHERE e.event_id = ANY(\(unseen: ids))"
  }

  /// Reads the accepted redactions of the given events: the redacted id, then the redaction's own columns.
  static func redactions(of ids: [Text]) -> SQL {
    """
    SELECT \(columns), d.redacts FROM redactions AS d
    JOIN events AS e ON e.event_id = d.event_id
    JOIN events AS t ON t.event_id = d.redacts AND t.room_id = e.room_id
    \(joins)
    WHERE d.redacts = ANY(\(unseen: ids)) AND x.event_id IS NULL
    ORDER BY e.stream_ordering
    """
  }

  /// Decodes one row, columns from `offset` on; nil (and a log line) when the stored event cannot be read.
  func stored(_ row: PostgresRow, from offset: Int = 0) throws -> StoredEvent? {
    let id = EventID(unchecked: try row.get(offset, as: Text.self))
    let metadata = try row.get(offset + 6, as: SQLText.self)
    let json = try row.get(offset + 7, as: SQLText.self)
    let format = try row.get(offset + 8, as: Int64.self)
    let name = try row.get(offset + 9, as: Text?.self)
    guard let version = RoomVersion.named(name ?? (format == 1 ? "1" : format == 2 ? "3" : "4")) else {
      logger.warning("event of a room version that is not supported", metadata: ["event_id": "\(id.rawValue)"])
      return nil
    }
    do {
      let value = try JSONValue.parse(json.bytes, maximumDepth: JSONDocument.storedDepth)
      let event = try Event.parse(value, version: version, eventID: id)
      return StoredEvent(
        event: event, streamOrdering: try row.get(offset + 1), instanceName: try row.get(offset + 2),
        isOutlier: try row.get(offset + 3), rejectedReason: try row.get(offset + 4),
        receivedTS: try row.get(offset + 5), metadata: EventMetadata(json: try JSONValue.parse(metadata.bytes)))
    } catch let error as PostgresError {
      throw error
    } catch {
      // One unreadable event must not hide a room; Synapse skips such events in the same way.
      logger.warning("stored event cannot be read", metadata: ["event_id": "\(id.rawValue)", "error": "\(error)"])
      return nil
    }
  }

  /// Returns the events of both result sets, redacted where a redaction of the second one is valid.
  ///
  /// - Parameters:
  ///   - rows: rows of ``events(_:)``.
  ///   - redactionRows: rows of ``redactions(of:)`` for the same ids, in stream order.
  func assemble(_ rows: PostgresRows, redactions redactionRows: PostgresRows) throws -> [EventID: StoredEvent] {
    var redactions: [EventID: [StoredEvent]] = [:]
    for row in redactionRows {
      guard let redaction = try stored(row) else { continue }
      redactions[EventID(unchecked: try row.get(10, as: Text.self)), default: []].append(redaction)
    }
    var events: [EventID: StoredEvent] = Dictionary(minimumCapacity: rows.count)
    for row in rows {
      guard let event = try stored(row) else { continue }
      events[event.eventID] = Self.apply(redactions[event.eventID] ?? [], to: event)
    }
    return events
  }

  /// Applies the first valid redaction.
  ///
  /// A creation event is never redacted. From room version 3 on a redaction that arrived before its target says
  /// `recheck_redaction`: it holds only if both senders are of the same server.
  static func apply(_ redactions: [StoredEvent], to event: StoredEvent) -> StoredEvent {
    guard event.type != "m.room.create" else { return event }
    for redaction in redactions {
      if redaction.metadata.recheckRedaction == true, redaction.sender.serverName != event.sender.serverName {
        continue
      }
      if let redacted = try? event.redacted(by: redaction) { return redacted }  // cannot fail for an event that parsed
    }
    return event
  }
}
