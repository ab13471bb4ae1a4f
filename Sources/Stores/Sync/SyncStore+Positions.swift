import Postgres

extension SyncStore {
  /// Returns how far the streams have got: no honest token is ahead of this, or it is ahead by places that nothing has.
  ///
  /// Events are asked themselves and not their sequence, since a writer may have taken places for events that are to come.
  public func lastHandedOut() async throws -> StreamToken {
    let rows = try await database.run(
      """
      SELECT (SELECT GREATEST(max(stream_ordering), 0) FROM events), (SELECT last_value FROM presence_stream_sequence),
        (SELECT last_value FROM receipts_sequence), (SELECT last_value FROM account_data_sequence),
        (SELECT last_value FROM push_rules_stream_sequence), (SELECT last_value FROM device_inbox_sequence),
        (SELECT last_value FROM device_lists_sequence)
      """)
    var token = StreamToken()
    guard let row = rows.first else { return token }
    token.room = RoomStreamToken(stream: try row.get(0))
    token.presence = try row.get(1)
    token.receipt = MultiWriterToken(stream: try row.get(2))
    token.accountData = try row.get(3)
    token.pushRules = try row.get(4)
    token.toDevice = try row.get(5)
    token.deviceList = MultiWriterToken(stream: try row.get(6))
    return token
  }
}
