import MatrixEvents
import MatrixPrimitives
import Postgres

/// Events that are to be sent later (`delayed_events`, `delayed_events_stream_pos`; MSC4140).
///
/// An event is pending until it is taken, by whoever sends it; a taken one can be neither changed nor taken again, and goes when it is sent.
public final class DelayedEventStore: Sendable {
  /// An event that is to be sent.
  public struct Draft: Sendable {
    /// The room.
    public var roomID: RoomID
    /// The event's type.
    public var type: Text
    /// The state key; nil for events that are no state.
    public var stateKey: Text?
    /// The event's content.
    public var content: JSON
    /// The time to put into the event; nil for that of sending it.
    public var originServerTS: Int64?

    /// Makes a value of its parts.
    public init(roomID: RoomID, type: Text, stateKey: Text?, content: JSON, originServerTS: Int64?) {
      self.roomID = roomID
      self.type = type
      self.stateKey = stateKey
      self.content = content
      self.originServerTS = originServerTS
    }
  }

  /// An event that is stored.
  public struct Entry: Sendable {
    /// The name by which it is changed.
    public let id: Text
    /// The user who sends it, without the server.
    public let localpart: Text
    /// The device that asked for it.
    public let deviceID: Text?
    /// The event.
    public let draft: Draft
    /// The time between asking and sending, in milliseconds.
    public let delay: Int64
    /// The time at which it is sent, in milliseconds since 1970.
    public let sendTS: Int64

    /// The time from which the delay counts.
    public var since: Int64 { sendTS &- delay }
  }

  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  private static let columns: SQL = """
    delay_id, user_localpart, device_id, room_id, event_type, state_key, content, origin_server_ts, delay, send_ts
    """

  private static func entry(_ row: PostgresRow) throws -> Entry {
    let (id, localpart, device, room, type, key, content, time, delay, send) = try row.decode(
      Text.self, Text.self, Text?.self, Text.self, Text.self, Text?.self, SQLText.self, Int64?.self, Int64.self,
      Int64.self)
    return Entry(
      id: id, localpart: localpart, deviceID: device,
      draft: Draft(
        roomID: RoomID(unchecked: room), type: type, stateKey: key, content: try JSON.parse(content.bytes),
        originServerTS: time),
      delay: delay, sendTS: send)
  }

  // MARK: Adding

  /// Stores an event.
  ///
  /// - Parameters:
  ///   - now: the time from which the delay counts.
  ///   - limit: the greatest number of a user's events.
  ///   - position: the place in the events stream up to which state is older than the event.
  /// - Returns: the name of the event.
  /// - Throws: `MatrixError` 429 when the user has too many, with the time until the next of them is sent.
  public func add(
    _ draft: Draft, user: UserID, deviceID: Text?, delay: Int64, now: Int64, limit: Int64, position: Int64
  ) async throws -> Text {
    let id: Text = "syd_" + RandomString.letters(20)
    let (send, overflows) = now.addingReportingOverflow(delay)
    guard !overflows else { throw MatrixError.invalidParam("The delay is too long") }
    let localpart = user.localpart
    try await database.transaction("add_delayed_event", isolation: .readCommitted) { txn in
      // One after the other for each user, so that none is counted out.
      txn.enqueue("SELECT 1 FROM users WHERE name = \(user.rawValue) FOR NO KEY UPDATE")
      let counted = try txn.query("SELECT count(*) FROM delayed_events WHERE user_localpart = \(localpart)")
      let count = try counted.first?.get(0, as: Int64.self) ?? 0
      guard count < limit else { throw try Self.refusal(localpart, skipping: count - limit, now, in: txn) }
      txn.enqueue(
        """
        UPDATE delayed_events_stream_pos SET stream_id = GREATEST(stream_id, \(position)::bigint)
        WHERE NOT EXISTS (SELECT 1 FROM delayed_events)
        """)
      txn.enqueue(
        """
        INSERT INTO delayed_events (delay_id, user_localpart, device_id, delay, send_ts, room_id, event_type, state_key,
          origin_server_ts, content)
        VALUES (\(id), \(localpart), \(deviceID), \(delay)::bigint, \(send)::bigint, \(draft.roomID.rawValue), \(draft.type),
          \(draft.stateKey), \(draft.originServerTS)::bigint, \(draft.content.encodedText))
        """)
    }
    return id
  }

  private static func refusal(
    _ localpart: Text, skipping count: Int64, _ now: Int64, in txn: Transaction
  ) throws -> MatrixError {
    let rows = try txn.query(
      """
      SELECT send_ts FROM delayed_events WHERE user_localpart = \(localpart)
      ORDER BY send_ts OFFSET \(max(count, 0))::bigint LIMIT 1
      """)
    let wait = try rows.first.map { try $0.get(0, as: Int64.self) - now }
    return .limitExceeded(
      "The maximum number of delayed events has been reached.",
      retryAfterMilliseconds: wait.flatMap { $0 > 0 ? $0 : nil })
  }

  // MARK: Reading

  /// Lists a user's pending events, those first that are sent first.
  public func entries(of localpart: Text) async throws -> [Entry] {
    try await database.run(
      """
      SELECT \(Self.columns) FROM delayed_events WHERE user_localpart = \(localpart) AND NOT is_processed
      ORDER BY send_ts
      """
    ).map(Self.entry)
  }

  /// Reads a user's pending event; nil when there is none.
  public func entry(_ id: Text, of localpart: Text) async throws -> Entry? {
    guard !id.contains(0) else { return nil }
    return try await database.run(
      """
      SELECT \(Self.columns) FROM delayed_events
      WHERE delay_id = \(id) AND user_localpart = \(localpart) AND NOT is_processed
      """
    ).first.map(Self.entry)
  }

  /// Reads when the next pending event is sent; nil when there is none.
  public func nextSendTS() async throws -> Int64? {
    try await database.run("SELECT min(send_ts) FROM delayed_events WHERE NOT is_processed").first?.get(
      0, as: Int64?.self)
  }

  // MARK: Changing

  /// Lets the delay of a pending event begin anew.
  ///
  /// - Returns: whether there is such an event.
  public func restart(_ id: Text, now: Int64) async throws -> Bool {
    try await changes(id, "UPDATE delayed_events SET send_ts = \(now)::bigint + delay")
  }

  /// Removes a pending event.
  ///
  /// - Returns: whether there was such an event.
  public func cancel(_ id: Text) async throws -> Bool { try await changes(id, "DELETE FROM delayed_events") }

  private func changes(_ id: Text, _ change: SQL) async throws -> Bool {
    guard !id.contains(0) else { return false }
    return try await !database.run("\(change) WHERE delay_id = \(id) AND NOT is_processed RETURNING 1").isEmpty
  }

  /// Removes all pending events of a user.
  public func cancelAll(of localpart: Text) async throws {
    _ = try await database.run("DELETE FROM delayed_events WHERE user_localpart = \(localpart) AND NOT is_processed")
  }

  /// Removes the pending state events in place of which other users have set state since.
  ///
  /// Cost: one transaction, over the changes of state since it was asked last.
  /// - Parameter position: the place in the events stream up to which nothing is missing, from where to go on next time. What is stored beyond
  ///   is looked at more than once; what is older than a pending event never counts.
  public func cancelOvertaken(upTo position: Int64, serverName: Text) async throws {
    try await database.transaction("cancel_delayed_state_events", isolation: .readCommitted) { txn in
      txn.enqueue(
        """
        DELETE FROM delayed_events AS d USING current_state_delta_stream AS s JOIN events AS e ON e.event_id = s.event_id
        WHERE s.stream_id > (SELECT stream_id FROM delayed_events_stream_pos)
          AND COALESCE(e.received_ts, e.origin_server_ts) >= d.send_ts - d.delay AND s.room_id = d.room_id AND s.type = d.event_type AND s.state_key = d.state_key AND NOT d.is_processed
          AND e.sender <> '@' || d.user_localpart || ':' || \(serverName)::text
        """)
      txn.enqueue(
        "UPDATE delayed_events_stream_pos SET stream_id = GREATEST(stream_id, \(position)::bigint)")
    }
  }

  // MARK: Sending

  /// Takes the events that are to be sent by now, those first that were to be sent first.
  ///
  /// - Parameter again: whether to take those as well that were taken before, as after a restart.
  public func takeDue(now: Int64, again: Bool) async throws -> [Entry] {
    let condition: SQL =
      again ? "is_processed OR send_ts <= \(now)::bigint" : "NOT is_processed AND send_ts <= \(now)::bigint"
    return try await database.run(
      """
      WITH due AS (UPDATE delayed_events SET is_processed = true WHERE \(condition) RETURNING *)
      SELECT \(Self.columns) FROM due ORDER BY send_ts
      """
    ).map(Self.entry)
  }

  /// Takes a pending event before its time; nil when there is none.
  public func take(_ id: Text) async throws -> Entry? {
    guard !id.contains(0) else { return nil }
    return try await database.run(
      """
      UPDATE delayed_events SET is_processed = true WHERE delay_id = \(id) AND NOT is_processed RETURNING \(Self.columns)
      """
    ).first.map(Self.entry)
  }

  /// Removes an event that was taken, and has been sent or never can be.
  public func finish(_ id: Text) async throws {
    _ = try await database.run("DELETE FROM delayed_events WHERE delay_id = \(id) AND is_processed")
  }

  /// Makes an event that was taken pending again, to be sent later.
  public func postpone(_ id: Text, until time: Int64) async throws {
    _ = try await database.run(
      "UPDATE delayed_events SET is_processed = false, send_ts = \(time)::bigint WHERE delay_id = \(id) AND is_processed"
    )
  }
}
