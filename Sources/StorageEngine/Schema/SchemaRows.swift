import ByteText
import Postgres

/// The rows that a new database has.
enum SchemaRows {
  static func statements(deltas: [(version: Int64, file: Text)]) -> [SQL] {
    positions + [
      "INSERT INTO schema_version (version, upgraded) VALUES (\(Schema.version), true)",
      "INSERT INTO schema_compat_version (compat_version) VALUES (\(Schema.compatibleVersion))",
      """
      INSERT INTO applied_schema_deltas (version, file)
      SELECT * FROM unnest(\(deltas.map(\.version))::integer[], \(deltas.map(\.file))::text[])
      """,
    ]
  }

  /// The positions of the background duties: none has begun yet.
  private static let positions: [SQL] = [
    "INSERT INTO appservice_stream_position (stream_ordering) VALUES (0)",
    "INSERT INTO delayed_events_stream_pos (stream_id) VALUES (1)",
    "INSERT INTO device_lists_changes_converted_stream_position (stream_id, room_id) VALUES (1, '')",
    "INSERT INTO device_lists_changes_in_room_max_pruned_stream_id (stream_id) VALUES (0)",
    "INSERT INTO event_push_summary_last_receipt_stream_id (stream_id) VALUES (1)",
    "INSERT INTO event_push_summary_stream_ordering (stream_ordering) VALUES (1)",
    """
    INSERT INTO federation_stream_position (type, stream_id, instance_name)
    VALUES ('federation', -1, 'master'), ('events', -1, 'master')
    """,
    "INSERT INTO room_forgetter_stream_pos (stream_id) VALUES (1)",
    "INSERT INTO stats_incremental_position (stream_id) VALUES (1)",
    "INSERT INTO user_directory_stream_pos (stream_id) VALUES (-1)",
  ]
}
