import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

extension StoredStream {
  /// New events and changes of current state.
  public static let events = StoredStream(
    writers: .events, storedName: "events", sequence: "events_stream_seq",
    tables: [eventTable, ("current_state_delta_stream", "stream_id", "instance_name"), outlierTable],
    makeSource: { EventsSource(ids: $0, database: $1) })

  /// History fetched later; ids are negative.
  public static let backfill = StoredStream(
    writers: .events, storedName: "backfill", sequence: "events_backfill_stream_seq",
    tables: [eventTable, outlierTable], isBackward: true, makeSource: { BackfillSource(ids: $0, database: $1) })

  private static let eventTable: StreamIDGenerator.Table = ("events", "stream_ordering", "instance_name")
  private static let outlierTable: StreamIDGenerator.Table = (
    "ex_outlier_stream", "event_stream_ordering", "instance_name"
  )

  /// Sticky events.
  public static let stickyEvents = StoredStream(
    .stickyEvents, storedName: "sticky_events", writers: .events, sequence: "sticky_events_sequence",
    tables: tables("sticky_events"), missed: missedStickyEvents)

  @Sendable
  private static func missedStickyEvents(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let rows = try await database.run(
      """
      SELECT stream_id::bigint, room_id, event_id FROM sticky_events
      WHERE \(bounds("stream_id", from, to)) AND instance_name = \(instance) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, room, event) = try row.decode(Int64.self, Text.self, Text.self)
      return (id, .stickyEvent(StickyEventRow(roomID: RoomID(unchecked: room), eventID: EventID(unchecked: event))))
    }
  }
}
