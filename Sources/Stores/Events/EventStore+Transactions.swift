import MatrixEvents
import MatrixPrimitives
import Postgres

extension EventStore {
  /// A request that a device has named by a transaction id.
  public struct DeviceTransaction: Hashable, Sendable {
    /// The user.
    public let userID: UserID
    /// The user's device.
    public let deviceID: Text
    /// The id that the device chose.
    public let txnID: Text
    /// The operation; the same id on another path is another request.
    public let path: TransactionPath

    /// Creates the key of a request.
    public init(userID: UserID, deviceID: Text, txnID: Text, path: TransactionPath) {
      self.userID = userID
      self.deviceID = deviceID
      self.txnID = txnID
      self.path = path
    }

    /// The names under which the request may be stored: its id, or with the path when another one had the id before.
    public var storedNames: [Text] { [txnID, path.qualify(txnID)] }
  }

  /// Finds the events that were sent into a room by earlier requests with the same ids and paths; new requests are absent.
  ///
  /// Cost: one statement, and those for events that are not cached when something is found.
  public func eventIDs(
    roomID: RoomID, transactions: [DeviceTransaction]
  ) async throws -> [DeviceTransaction: EventID] {
    guard !transactions.isEmpty else { return [:] }
    let names = transactions.flatMap { transaction in transaction.storedNames.map { (transaction, $0) } }
    // In subqueries the arrays' lengths do not count for the plan, which is made once then; LIMIT keeps the index in use.
    let found = try await database.run(
      """
      SELECT q.user_id, q.device_id, q.txn_id, t.event_id
      FROM unnest((SELECT \(names.map(\.0.userID.rawValue))::text[]),
        (SELECT \(names.map(\.0.deviceID))::text[]), (SELECT \(names.map(\.1))::text[]))
        AS q(user_id, device_id, txn_id)
      CROSS JOIN LATERAL (
        SELECT event_id FROM event_txn_id_device_id
        WHERE user_id = q.user_id AND device_id = q.device_id AND room_id = \(roomID.rawValue) AND txn_id = q.txn_id
        LIMIT 1) AS t
      """)
    guard !found.isEmpty else { return [:] }
    struct StoredName: Hashable { let user, device, name: Text }
    var owners: [StoredName: EventID] = [:]
    for row in found {
      let (user, device, name, eventID) = try row.decode(Text.self, Text.self, Text.self, Text.self)
      owners[StoredName(user: user, device: device, name: name)] = EventID(unchecked: eventID)
    }
    let paths = try await transactionPaths(of: Array(owners.values))
    var result: [DeviceTransaction: EventID] = [:]
    for (transaction, name) in names {
      let stored = StoredName(user: transaction.userID.rawValue, device: transaction.deviceID, name: name)
      if let owner = owners[stored], paths[owner] == transaction.path { result[transaction] = owner }
    }
    return result
  }

  /// Finds the event that an earlier request with the same id and path has made; nil when the request is new.
  public func eventID(roomID: RoomID, transaction: DeviceTransaction) async throws -> EventID? {
    try await eventIDs(roomID: roomID, transactions: [transaction])[transaction]
  }

  /// Finds on which paths stored events were sent; those that are not stored are absent.
  public func transactionPaths(of ids: [EventID]) async throws -> [EventID: TransactionPath] {
    try await transactionPaths(of: try await events(ids, allowRejected: true).values.map(\.event))
  }

  /// Finds on which paths events were sent, which need not be stored.
  ///
  /// Cost: nothing, but for removals and bans taken back: the membership before them tells which it is.
  public func transactionPaths(of events: [Event]) async throws -> [EventID: TransactionPath] {
    var predecessors: [EventID: EventID] = [:]
    for event in events where TransactionPath.needsPredecessor(event) {
      predecessors[event.eventID] = event.unsigned?["replaces_state"]?.string.flatMap { EventID($0) }
    }
    let found = try await self.events(Array(predecessors.values))
    var paths: [EventID: TransactionPath] = [:]
    for event in events {
      let before = predecessors[event.eventID].flatMap { found[$0] }
      paths[event.eventID] = .of(event, wasBanned: before?.event.membership == "ban")
    }
    return paths
  }

  /// A device's request that has made an event, with the name under which it is stored.
  package struct SentRequest: Sendable {
    let event: NewEvent
    let device: Text
    let name: Text

    /// Describes a request.
    package init(event: NewEvent, device: Text, name: Text) {
      self.event = event
      self.device = device
      self.name = name
    }
  }

  /// Records with which transaction a device sent an event, so that a repeated request finds it; a device that has been
  /// deleted meanwhile cannot repeat anything. The lock waits for a deletion under way, which the foreign key would trip over.
  package static func enqueue(_ sent: [SentRequest], now: Int64, in txn: Transaction) {
    guard !sent.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO event_txn_id_device_id (event_id, room_id, user_id, device_id, txn_id, inserted_ts)
      SELECT q.id, q.room_id, q.sender, q.device, q.txn, \(now)::bigint
      FROM unnest(\(sent.map(\.event.id))::text[], \(sent.map(\.event.event.roomID.rawValue))::text[],
        \(sent.map(\.event.event.sender.rawValue))::text[], \(sent.map(\.device))::text[], \(sent.map(\.name))::text[])
        AS q(id, room_id, sender, device, txn)
      JOIN devices AS d ON d.user_id = q.sender AND d.device_id = q.device
      FOR KEY SHARE OF d
      """)
  }
}
