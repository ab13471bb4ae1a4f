import MatrixPrimitives
import Postgres
import Replication
import StorageEngine
import Synchronization

/// The messages for devices (`device_inbox`, `device_federation_outbox`).
public final class ToDeviceStore: Sendable {
  let database: PostgresClient
  let writer: StreamWriter
  let clock: ServerClock

  /// The stream id at which the last message for one of each user's devices came.
  public let inboxChanges: StreamChangeCache

  /// The point up to where each device's inbox was emptied, so that most syncs need no DELETE.
  private let emptied = Mutex<[Device: Int64]>([:])

  private struct Device: Hashable, Sendable {
    let user: UserID
    let device: Text
  }

  /// The greatest number of messages that one sync returns, as on Synapse.
  public static let batchLimit = 100

  init(_ context: StoreContext) {
    database = context.database
    clock = context.clock
    writer = StreamWriter(.toDevice, context.ids[.toDevice], context)
    inboxChanges = context.caches.changeCache("DeviceInboxStreamChangeCache")
    context.afterLoad { [inboxChanges, writer] in inboxChanges.start(at: writer.ids.currentToken) }
    context.follow(.toDevice, for: self) { store, batches in
      for batch in batches {
        for case .toDevice(let entity) in batch.rows { store.note(entity: entity, at: batch.token) }
      }
    }
  }

  /// Takes note of a row of the stream before the position advances.
  ///
  /// - Parameter entity: a user id, or the name of a server for outgoing messages.
  public func note(entity: Text, at token: Int64) {
    if entity.hasPrefix("@") { inboxChanges.entityChanged(entity, at: token) }
  }

  /// The position up to which this process knows of messages.
  public var currentToken: Int64 { writer.ids.currentToken }

  /// Returns the messages for a device after `from` and up to `upTo`, oldest first, each as the JSON object to deliver.
  ///
  /// Messages of one position are never divided, or the rest of them would be taken for delivered.
  /// - Parameter limit: the greatest number, apart from that; at least 1.
  /// - Returns: the messages, and the position up to which they are complete.
  public func messages(
    for user: UserID, device: Text, after from: Int64, upTo: Int64, limit: Int = batchLimit
  ) async throws -> (messages: [[UInt8]], upTo: Int64) {
    guard from < upTo, inboxChanges.hasChanged(user.rawValue, since: from) else { return ([], upTo) }
    let limit = max(1, limit)
    let rows = try await database.run(
      """
      SELECT stream_id, message_json FROM device_inbox
      WHERE user_id = \(user.rawValue) AND device_id = \(device) AND stream_id > \(from)::bigint
        AND stream_id <= \(upTo)::bigint
      ORDER BY stream_id FETCH FIRST (\(Int64(limit))::bigint) ROWS WITH TIES
      """)
    let messages = try rows.map { Self.withoutName(try $0.get(1, as: SQLText.self).bytes) }
    guard rows.count >= limit, let last = rows.last else { return (messages, upTo) }
    return (messages, try last.get(0))
  }

  /// Removes the member `message_id`, under which servers send a message to each other, and which clients do not get.
  private static func withoutName(_ message: [UInt8]) -> [UInt8] {
    let sign = Array(#""message_id""#.utf8)
    guard message.count > sign.count, message.contains(sign) else { return message }
    do {
      var json = try JSON.parse(message)
      guard json["message_id"] != nil else { return message }
      json["message_id"] = nil
      return json.encoded
    } catch {
      return message  // what cannot be read is passed on as it is stored
    }
  }

  /// Deletes what a device has acknowledged by coming back with a later token.
  ///
  /// - Parameter upTo: the position of the device's token; messages at it and before are deleted.
  public func deleteMessages(for user: UserID, device: Text, upTo: Int64) async throws {
    let key = Device(user: user, device: device)
    if let last = emptied.withLock({ $0[key] }), !inboxChanges.hasChanged(user.rawValue, since: last) { return }
    _ = try await database.run(
      """
      DELETE FROM device_inbox
      WHERE user_id = \(user.rawValue) AND device_id = \(device) AND stream_id <= \(upTo)
      """)
    emptied.withLock { emptied in
      if emptied.count >= 20_000 { emptied.removeAll(keepingCapacity: true) }
      emptied[key] = max(emptied[key] ?? 0, upTo)
    }
  }

  /// Stores messages for local devices and for other servers under one stream id.
  ///
  /// Devices that do not exist are dropped; `*` as the only device stands for all of a user's devices.
  ///
  /// - Parameters:
  ///   - local: user → device → the complete message object (`content`, `type`, `sender`).
  ///   - remote: the EDU content for each other server.
  /// - Returns: the stream id.
  public func add(local: [UserID: [Text: [UInt8]]], remote: [Text: [UInt8]]) async throws -> Int64 {
    try await writer.write { [self] streamID in
      let (instance, now) = (writer.instanceName, clock.nowMilliseconds)
      try await database.transaction("add_to_device", isolation: .readCommitted) { txn in
        txn.enqueue(Self.insertLocal(local, streamID, instance))
        if !remote.isEmpty { txn.enqueue(Self.insertRemote(remote, streamID, instance, now)) }
      }
      for user in local.keys { note(entity: user.rawValue, at: streamID) }
      let entities = local.keys.map(\.rawValue).sorted() + remote.keys.sorted()
      return (streamID, entities.map { .toDevice($0) })
    }
  }

  /// Drops what waits for other servers beyond the newest rows.
  ///
  /// For the process that is to send it and cannot: nothing else would ever take the rows away.
  public func trimOutbox(toNewest count: Int) async throws {
    _ = try await database.run(
      """
      DELETE FROM device_federation_outbox
      WHERE stream_id <= (SELECT stream_id FROM device_federation_outbox ORDER BY stream_id DESC OFFSET \(count) LIMIT 1)
      """)
  }

  private static func insertLocal(_ local: [UserID: [Text: [UInt8]]], _ streamID: Int64, _ instance: Text) -> SQL {
    var (users, devices, messages): ([Text], [Text], [Text]) = ([], [], [])
    for (user, byDevice) in local {
      for (device, message) in byDevice where device != "*" || byDevice.count == 1 {
        users.append(user.rawValue)
        devices.append(device)
        messages.append(Text(decoding: message, as: UTF8.self))
      }
    }
    return """
      INSERT INTO device_inbox (user_id, device_id, stream_id, message_json, instance_name)
      SELECT d.user_id, d.device_id, \(streamID)::bigint, m.message, \(instance)::text
      FROM unnest(\(users)::text[], \(devices)::text[], \(messages)::text[]) AS m (user_id, device_id, message)
      JOIN devices AS d ON d.user_id = m.user_id AND (d.device_id = m.device_id OR m.device_id = '*')
      WHERE NOT d.hidden
      """
  }

  private static func insertRemote(
    _ remote: [Text: [UInt8]], _ streamID: Int64, _ instance: Text, _ now: Int64
  ) -> SQL {
    let servers = Array(remote.keys)
    let contents = servers.map { Text(decoding: remote[$0] ?? [], as: UTF8.self) }
    return """
      INSERT INTO device_federation_outbox (destination, stream_id, queued_ts, messages_json, instance_name)
      SELECT r.destination, \(streamID)::bigint, \(now)::bigint, r.content, \(instance)::text
      FROM unnest(\(servers)::text[], \(contents)::text[]) AS r (destination, content)
      """
  }
}
