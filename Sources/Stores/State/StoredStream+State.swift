import MatrixPrimitives
import Postgres
import Replication

extension StoredStream {
  /// Rooms whose state has become complete.
  public static let unPartialStatedRooms = StoredStream(
    .unPartialStatedRoom, storedName: "un_partial_stated_room_stream", writers: .unPartialStatedRoom,
    sequence: "un_partial_stated_room_stream_sequence",
    tables: tables("un_partial_stated_room_stream"), missed: missedUnPartialStatedRooms)

  @Sendable
  private static func missedUnPartialStatedRooms(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let rows = try await database.run(
      """
      SELECT stream_id, room_id FROM un_partial_stated_room_stream
      WHERE \(bounds("stream_id", from, to)) AND instance_name = \(instance) \(tail(limit))
      """)
    return try rows.map { (try $0.get(0), .unPartialStatedRoom(RoomID(unchecked: try $0.get(1)))) }
  }

  /// Events whose state has become complete.
  public static let unPartialStatedEvents = StoredStream(
    .unPartialStatedEvent, storedName: "un_partial_stated_event_stream", writers: .unPartialStatedEvent,
    sequence: "un_partial_stated_event_stream_sequence",
    tables: tables("un_partial_stated_event_stream"), missed: missedUnPartialStatedEvents)

  @Sendable
  private static func missedUnPartialStatedEvents(
    _ database: PostgresClient, _ instance: Text, _ from: Int64, _ to: Int64, _ limit: Int
  ) async throws -> [StreamPage.Row] {
    let rows = try await database.run(
      """
      SELECT stream_id, event_id, rejection_status_changed FROM un_partial_stated_event_stream
      WHERE \(bounds("stream_id", from, to)) AND instance_name = \(instance) \(tail(limit))
      """)
    return try rows.map { row in
      let (id, event, changed) = try row.decode(Int64.self, Text.self, Bool.self)
      let done = UnPartialStatedEventRow(eventID: EventID(unchecked: event), didRejectionChange: changed)
      return (id, .unPartialStatedEvent(done))
    }
  }
}
