import MatrixEvents
import MatrixPrimitives
import Postgres
import StorageEngine
import Synchronization

/// The state groups and the current state of rooms.
///
/// A state group never changes, so its cache needs no invalidation. The current state follows the rows of the `events`
/// stream: changes are applied to the cached snapshot in place.
public final class StateStore: Sendable {
  /// The longest chain of groups that are stored as differences; the next one is stored whole, as on Synapse.
  public static let longestDeltaChain = 100

  let database: PostgresClient
  let groups: Cache<Int64, StateSnapshot>
  let groupOfEvent: Cache<EventID, Int64>
  let current: Cache<RoomID, StateSnapshot>
  let currentEvents: Cache<RoomID, RoomStateEvents>
  /// The number of times that single entries of a room were read that is not in `current`.
  let glances: Cache<RoomID, Int>
  private let chainLengths: Cache<Int64, Int>
  private let spareGroupIDs = Mutex<[Int64]>([])
  private static let groupIDBatch: Int64 = 50

  init(_ context: StoreContext) {
    database = context.database
    let caches = context.caches
    groups = caches.cache("*stateGroupCache*", byteBudget: 64 << 20) { $1.weight }
    current = caches.cache("get_current_state_ids", byteBudget: 64 << 20) { $1.weight }
    currentEvents = caches.cache("*current_state_events*", byteBudget: 64 << 20) { $1.weight }
    glances = caches.cache("*currentStateGlances*", capacity: 10_000)
    groupOfEvent = caches.cache("_get_state_group_for_event", capacity: 50_000)
    chainLengths = caches.cache("*stateGroupChainLength*", capacity: 20_000)
    follow(context)
  }

  // MARK: state groups

  /// Finds the group of the state after an event; nil for outliers and unknown events.
  public func stateGroup(of event: EventID) async throws -> Int64? { try await stateGroups(of: [event])[event] }

  /// Finds the groups of the state after events; outliers and unknown events are absent.
  public func stateGroups(of events: [EventID]) async throws -> [EventID: Int64] {
    guard !events.isEmpty else { return [:] }
    return try await groupOfEvent.values(events) { [database] missing in
      let found = try await database.run(
        """
        SELECT event_id, state_group FROM event_to_state_groups
        WHERE event_id = ANY(\(missing.map(\.rawValue))::text[])
        """)
      var result: [EventID: Int64] = [:]
      for row in found {
        let (event, group) = try row.decode(Text.self, Int64.self)
        result[EventID(unchecked: event)] = group
      }
      return result
    }
  }

  /// Reads the state of a group, wanted entries only.
  public func stateMap(group: Int64, filter: StateFilter = .all) async throws -> StateMap {
    try await snapshot(group: group).map(filter)
  }

  /// Reads the whole state of a group, from the cache if it is there.
  public func snapshot(group: Int64) async throws -> StateSnapshot {
    try await groups.value(group) { [self] in try await load(group) }
  }

  private func load(_ group: Int64) async throws -> StateSnapshot {
    // Later groups of a chain have greater ids, so the greatest id holds an entry's latest value.
    let found = try await database.run(
      """
      WITH RECURSIVE chain(id) AS (
        VALUES (\(group)::bigint)
        UNION ALL
        SELECT g.prev_state_group FROM state_group_edges AS g JOIN chain ON g.state_group = chain.id
      )
      SELECT DISTINCT ON (s.type, s.state_key) s.type, s.state_key, s.event_id
      FROM state_groups_state AS s JOIN chain ON s.state_group = chain.id
      ORDER BY s.type, s.state_key, s.state_group DESC
      """)
    if found.isEmpty {
      // A group without entries exists before a room's first event; a group without a row does not exist.
      let exists = try await database.run("SELECT 1::bigint FROM state_groups WHERE id = \(group)::bigint")
      if exists.isEmpty { throw StoreError("state group \(group) does not exist") }
    }
    return try Self.snapshot(found)
  }

  static func snapshot(_ rows: PostgresRows) throws -> StateSnapshot {
    var map: StateMap = Dictionary(minimumCapacity: rows.count)
    for row in rows {
      let (type, key, event) = try row.decode(Text.self, Text.self, Text.self)
      map[StateKey(type, key)] = EventID(unchecked: event)
    }
    return StateSnapshot(map)
  }

  // MARK: making groups

  /// Takes the id of a group that is about to be made; ids are fetched from the sequence in batches.
  ///
  /// - Parameter previous: the group that the new one changes. Chains are read back by descending id, so the answer is
  ///   always greater.
  public func allocateGroup(after previous: Int64?) async throws -> Int64 {
    let floor = previous ?? 0
    let spare = spareGroupIDs.withLock { spares -> Int64? in
      // Spares that another process has overtaken in this room are thrown away.
      while let next = spares.popLast() { if next > floor { return next } }
      return nil
    }
    if let spare { return spare }
    let found = try await database.run(
      "SELECT nextval('state_group_id_seq') FROM generate_series(1, \(Self.groupIDBatch)::bigint)")
    var ids = try found.map { try $0.get(0, as: Int64.self) }
    ids.sort(by: >)
    guard let first = ids.popLast() else { throw StoreError.missingRow("state_group_id_seq") }
    spareGroupIDs.withLock { spares in if (spares.first ?? 0) < first { spares = ids } }
    return first
  }

  /// Counts the groups that must be read to know the state of one (0 when it is stored whole).
  public func chainLength(of group: Int64) async throws -> Int {
    try await chainLengths.value(group) { [database] in
      let found = try await database.run(
        """
        WITH RECURSIVE chain(id) AS (
          VALUES (\(group)::bigint)
          UNION ALL
          SELECT g.prev_state_group FROM state_group_edges AS g JOIN chain ON g.state_group = chain.id
        )
        SELECT count(*) - 1 FROM chain
        """)
      return Int(clamping: try found.first?.get(0, as: Int64.self) ?? 0)
    }
  }

  /// Describes the group after a change, ready to be written: as a difference, or whole when the chain has become long.
  ///
  /// The state is put into the cache at once; the id is not known elsewhere yet.
  public func makeGroup(
    roomID: RoomID, eventID: EventID, previous: Int64?, delta: StateMap, base: StateSnapshot
  ) async throws -> NewStateGroup {
    let id = try await allocateGroup(after: previous)
    let state = base.applying(delta)
    groups.insert(id, state)
    if let previous {
      let length = try await chainLength(of: previous)
      if length < Self.longestDeltaChain {
        chainLengths.insert(id, length + 1)
        return NewStateGroup(id: id, roomID: roomID, eventID: eventID, previous: previous, state: delta)
      }
    }
    chainLengths.insert(id, 0)
    return NewStateGroup(id: id, roomID: roomID, eventID: eventID, previous: nil, state: state.map)
  }

  /// Puts the states of groups that are not written yet into the cache, unless they are there.
  ///
  /// - Parameter new: the groups, each after the one it builds on.
  public func hold(_ new: [NewStateGroup]) async throws {
    for group in new where groups.peek(group.id) == nil {
      let base = if let previous = group.previous { try await snapshot(group: previous) } else { StateSnapshot() }
      groups.insert(group.id, base.applying(group.state))
    }
  }

  /// Writes groups in a transaction of their own, as a creator does whose persister is another process.
  public func storeGroups(_ new: [NewStateGroup]) async throws {
    guard !new.isEmpty else { return }
    try await database.transaction("store_state_groups", isolation: .readCommitted) { txn in
      try self.enqueue(new, in: txn)
    }
  }

  /// Writes groups within a transaction, and keeps the groups they build on from being deleted.
  public func enqueue(_ new: [NewStateGroup], in txn: Transaction) throws {
    guard !new.isEmpty else { return }
    let written = Set(new.map(\.id))
    let built = Set(new.compactMap(\.previous)).subtracting(written).sorted()
    if !built.isEmpty { txn.enqueue(Self.postponeDeletion(of: built)) }
    txn.enqueue(
      """
      INSERT INTO state_groups (id, room_id, event_id)
      SELECT * FROM unnest(\(new.map(\.id))::bigint[], \(new.map(\.roomID.rawValue))::text[],
        \(new.map(\.eventID.rawValue))::text[])
      """)
    let edges = new.compactMap { group in group.previous.map { (group.id, $0) } }
    if !edges.isEmpty {
      txn.enqueue(
        """
        INSERT INTO state_group_edges (state_group, prev_state_group)
        SELECT * FROM unnest(\(edges.map(\.0))::bigint[], \(edges.map(\.1))::bigint[])
        """)
    }
    let entries = new.flatMap { group in group.state.map { (group: group, key: $0.key, event: $0.value) } }
    guard !entries.isEmpty else { return }
    txn.enqueue(
      """
      INSERT INTO state_groups_state (state_group, room_id, type, state_key, event_id)
      SELECT * FROM unnest(\(entries.map(\.group.id))::bigint[], \(entries.map(\.group.roomID.rawValue))::text[],
        \(entries.map(\.key.type))::text[], \(entries.map(\.key.stateKey))::text[],
        \(entries.map(\.event.rawValue))::text[])
      """)
  }

  /// Moves the deletion of groups that are waiting for it into the future, because something refers to them now.
  static func postponeDeletion(of groups: [Int64]) -> SQL {
    """
    UPDATE state_groups_pending_deletion
    SET sequence_number = DEFAULT, insertion_ts = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
    WHERE state_group = ANY(\(groups)::bigint[])
    """
  }

  /// Remembers the groups of events that were just committed.
  public func prefill(_ groupsOfEvents: [EventID: Int64]) {
    for (event, group) in groupsOfEvents { groupOfEvent.insert(event, group) }
  }
}
