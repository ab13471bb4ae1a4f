import MatrixPrimitives
import Postgres

extension ReceiptStore {
  /// Reads the receipts of rooms, each after a point of its own; rooms without any are absent.
  ///
  /// Cost: at most one statement, none where memory reaches back so far.
  public func receipts(
    after points: [RoomID: MultiWriterToken], upTo: MultiWriterToken
  ) async throws -> [RoomID: [Receipt]] {
    var found: [RoomID: [Receipt]] = [:]
    var (rooms, afters): ([Text], [Int64]) = ([], [])
    for (room, after) in points where after != upTo {
      if let recent = recentReceipts(in: room, after: after, upTo: upTo) {
        if !recent.isEmpty { found[room] = recent }
      } else {
        rooms.append(room.rawValue)
        afters.append(after.stream)
      }
    }
    guard !rooms.isEmpty else { return found }
    let rows = try await database.run(
      """
      SELECT r.stream_id, r.instance_name, r.room_id, r.receipt_type, r.user_id, r.event_id, r.thread_id, r.data
      FROM unnest(\(rooms)::text[], \(afters)::bigint[]) AS q(room_id, after)
      JOIN receipts_linearized AS r ON r.room_id = q.room_id AND r.stream_id > q.after
        AND r.stream_id <= \(upTo.maximum)::bigint
      ORDER BY r.stream_id
      """)
    for row in rows {
      let (id, instance, receipt) = try Self.receipt(row)
      guard let after = points[receipt.room], !after.covers(id, instance: instance),
        upTo.covers(id, instance: instance)
      else { continue }
      found[receipt.room, default: []].append(receipt)
    }
    return found
  }

  /// Reads what a client that sees rooms for the first time wants: the user's own receipts in the rooms, and everybody's for certain events.
  ///
  /// Cost: one statement.
  public func receipts(
    of user: UserID, in rooms: [RoomID], at events: [(room: RoomID, event: EventID)], upTo: MultiWriterToken
  ) async throws -> [RoomID: [Receipt]] {
    guard !rooms.isEmpty else { return [:] }
    let rows = try await database.run(
      """
      SELECT stream_id, instance_name, room_id, receipt_type, user_id, event_id, thread_id, data
      FROM receipts_linearized
      WHERE user_id = \(user.rawValue) AND room_id = ANY(\(rooms.map(\.rawValue))::text[])
      UNION
      SELECT r.stream_id, r.instance_name, r.room_id, r.receipt_type, r.user_id, r.event_id, r.thread_id, r.data
      FROM unnest(\(events.map(\.room.rawValue))::text[], \(events.map(\.event.rawValue))::text[]) AS q(room_id, event_id)
      JOIN receipts_linearized AS r ON r.room_id = q.room_id AND r.event_id = q.event_id
      ORDER BY 1
      """)
    var found: [RoomID: [Receipt]] = [:]
    for row in rows {
      let (id, instance, receipt) = try Self.receipt(row)
      guard upTo.covers(id, instance: instance) else { continue }
      found[receipt.room, default: []].append(receipt)
    }
    return found
  }

  /// Finds which rooms have receipts between two points.
  ///
  /// Cost: at most one statement, none where memory reaches back so far.
  public func roomsWithReceipts(
    among rooms: some Sequence<RoomID>, after: MultiWriterToken, upTo: MultiWriterToken
  ) async throws -> Set<RoomID> {
    guard after != upTo else { return [] }
    var found: Set<RoomID> = []
    var unknown: [Text] = []
    for room in rooms {
      if let recent = recentReceipts(in: room, after: after, upTo: upTo) {
        if !recent.isEmpty { found.insert(room) }
      } else {
        unknown.append(room.rawValue)
      }
    }
    guard !unknown.isEmpty else { return found }
    let rows = try await database.run(
      """
      SELECT DISTINCT room_id FROM receipts_linearized WHERE room_id = ANY(\(unknown)::text[])
        AND stream_id > \(after.stream)::bigint AND stream_id <= \(upTo.maximum)::bigint
      """)
    for row in rows { found.insert(RoomID(unchecked: try row.get(0))) }
    return found
  }

  private func recentReceipts(
    in room: RoomID, after: MultiWriterToken, upTo: MultiWriterToken
  ) -> [Receipt]? {
    recent.rows(of: room, after: after.stream)?.filter {
      !after.covers($0.id, instance: $0.instanceName) && upTo.covers($0.id, instance: $0.instanceName)
    }.map(\.row)
  }

  private static func receipt(_ row: PostgresRow) throws -> (Int64, Text?, Receipt) {
    let (id, instance, room, type, user, event, thread, data) = try row.decode(
      Int64.self, Text?.self, Text.self, Text.self, Text.self, Text.self, Text?.self, SQLText.self)
    let receipt = Receipt(
      room: RoomID(unchecked: room), type: type, user: UserID(unchecked: user), eventID: event, threadID: thread,
      data: data.bytes)
    return (id, instance, receipt)
  }
}
