import MatrixPrimitives
import Postgres
import Replication
import StorageEngine

/// The receipts (`receipts_linearized`, `receipts_graph`).
///
/// The newest rows stay in memory, fed by the `receipts` stream, so that an incremental sync rarely asks the database.
public final class ReceiptStore: Sendable {
  let database: PostgresClient
  let writer: StreamWriter

  /// The newest receipts by room.
  public let recent: RecentRows<Receipt>

  /// Id generator of the stream `receipts`.
  public var ids: StreamIDGenerator { writer.ids }

  init(_ context: StoreContext) {
    database = context.database
    writer = StreamWriter(.receipts, context.ids[.receipts], context)
    recent = RecentRows(floor: Int64.max, rowsPerRoom: 64)
    context.afterLoad { [recent, writer] in recent.reset(floor: writer.ids.currentToken) }
    context.follow(.receipts, for: self) { store, batches in
      for batch in batches {
        for case .receipt(let row) in batch.rows {
          store.note(Receipt(row: row), at: batch.token, instanceName: batch.instanceName)
        }
      }
    }
  }

  /// Takes note of a receipt: to be called for every row of the stream before the position advances.
  public func note(_ receipt: Receipt, at token: Int64, instanceName: Text) {
    recent.append(receipt, id: token, instanceName: instanceName, room: receipt.room)
  }

  /// Returns the receipts of rooms that were stored after `from` and up to `upTo`; those that a later one of the same user, type
  /// and thread replaced are left out.
  ///
  /// - Parameters:
  ///   - rooms: the rooms to look at.
  ///   - from: nil returns every receipt of the rooms.
  ///   - upTo: the position of the answer.
  public func receipts(
    in rooms: [RoomID], after from: MultiWriterToken?, upTo: MultiWriterToken
  ) async throws -> [RoomID: [Receipt]] {
    var found: [RoomID: [Receipt]] = [:]
    var unknown = rooms
    if let from {
      unknown = []
      for room in rooms {
        guard let entries = recent.rows(of: room, after: from.stream) else {
          unknown.append(room)
          continue
        }
        let kept = entries.filter {
          !from.covers($0.id, instance: $0.instanceName) && upTo.covers($0.id, instance: $0.instanceName)
        }
        if !kept.isEmpty { found[room] = Self.newest(kept.map(\.row)) }
      }
    }
    guard !unknown.isEmpty else { return found }
    for (room, receipts) in try await load(unknown, after: from, upTo: upTo) { found[room] = receipts }
    return found
  }

  private func load(
    _ rooms: [RoomID], after from: MultiWriterToken?, upTo: MultiWriterToken
  ) async throws -> [RoomID: [Receipt]] {
    let rows = try await database.run(
      """
      SELECT stream_id, instance_name, room_id, receipt_type, user_id, event_id, thread_id, data
      FROM receipts_linearized
      WHERE room_id = ANY(\(rooms.map(\.rawValue))::text[])
        AND stream_id > \(from?.stream ?? -1) AND stream_id <= \(upTo.maximum)
      ORDER BY stream_id
      """)
    var found: [RoomID: [Receipt]] = [:]
    for row in rows {
      let (id, instance, room, type, user, event, thread, data) = try row.decode(
        Int64.self, Text?.self, Text.self, Text.self, Text.self, Text.self, Text?.self, SQLText.self)
      guard from.map({ !$0.covers(id, instance: instance) }) ?? true, upTo.covers(id, instance: instance) else {
        continue
      }
      let receipt = Receipt(
        room: RoomID(unchecked: room), type: type, user: UserID(unchecked: user), eventID: event, threadID: thread,
        data: data.bytes)
      found[receipt.room, default: []].append(receipt)
    }
    return found
  }

  /// Keeps the last receipt of each user, type and thread.
  private static func newest(_ receipts: [Receipt]) -> [Receipt] {
    struct Key: Hashable {
      let user: UserID
      let type: Text
      let thread: Text?
    }
    guard receipts.count > 1 else { return receipts }
    var last: [Key: Int] = [:]
    for (index, receipt) in receipts.enumerated() {
      last[Key(user: receipt.user, type: receipt.type, thread: receipt.threadID)] = index
    }
    return last.values.sorted().map { receipts[$0] }
  }

  /// Stores a receipt unless the user has one for the same or a later event already.
  ///
  /// - Parameters:
  ///   - receipt: what to store; `eventID` must be one of `eventIDs`.
  ///   - eventIDs: the events as the sender named them (several only from other servers).
  /// - Returns: the stream id; nil when the receipt is old and was dropped.
  public func insert(_ receipt: Receipt, eventIDs: [Text]? = nil) async throws -> Int64? {
    let graph = JSON.array((eventIDs ?? [receipt.eventID]).map { .string($0) }).encodedText
    return try await writer.write { [self] streamID -> (result: Int64?, rows: [StreamRow]) in
      let instance = writer.instanceName
      let stored = try await database.transaction("insert_receipt", isolation: .readCommitted) { txn in
        guard try txn.execute(Self.upsertLinearized(receipt, streamID, instance)) > 0 else { return false }
        txn.enqueue(Self.upsertGraph(receipt, graph))
        return true
      }
      guard stored else { return (nil, []) }
      note(receipt, at: streamID, instanceName: instance)
      return (streamID, [.receipt(try receipt.row)])
    }
  }

  private static func upsertLinearized(_ receipt: Receipt, _ streamID: Int64, _ instance: Text) -> SQL {
    let data = Text(decoding: receipt.data, as: UTF8.self)
    let insert: SQL = """
      INSERT INTO receipts_linearized AS old (stream_id, instance_name, room_id, receipt_type, user_id, event_id, thread_id,
        event_stream_ordering, data)
      VALUES (\(streamID)::bigint, \(instance), \(receipt.room.rawValue), \(receipt.type), \(receipt.user.rawValue),
        \(receipt.eventID), \(receipt.threadID),
        (SELECT stream_ordering FROM events WHERE event_id = \(receipt.eventID)), \(data))
      """
    let target: SQL =
      receipt.threadID == nil
      ? " ON CONFLICT (room_id, receipt_type, user_id) WHERE thread_id IS NULL"
      : " ON CONFLICT (room_id, receipt_type, user_id, thread_id)"
    return insert + target + """
       DO UPDATE SET stream_id = EXCLUDED.stream_id, instance_name = EXCLUDED.instance_name,
        event_id = EXCLUDED.event_id, event_stream_ordering = EXCLUDED.event_stream_ordering, data = EXCLUDED.data
      WHERE old.event_stream_ordering IS NULL OR EXCLUDED.event_stream_ordering IS NULL
        OR old.event_stream_ordering < EXCLUDED.event_stream_ordering
      """
  }

  private static func upsertGraph(_ receipt: Receipt, _ eventIDs: Text) -> SQL {
    let data = Text(decoding: receipt.data, as: UTF8.self)
    let insert: SQL = """
      INSERT INTO receipts_graph (room_id, receipt_type, user_id, event_ids, thread_id, data)
      VALUES (\(receipt.room.rawValue), \(receipt.type), \(receipt.user.rawValue), \(eventIDs), \(receipt.threadID), \(data))
      """
    let target: SQL =
      receipt.threadID == nil
      ? " ON CONFLICT (room_id, receipt_type, user_id) WHERE thread_id IS NULL"
      : " ON CONFLICT (room_id, receipt_type, user_id, thread_id)"
    return insert + target + " DO UPDATE SET event_ids = EXCLUDED.event_ids, data = EXCLUDED.data"
  }
}
