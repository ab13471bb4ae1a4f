import ByteText
import Postgres

/// The reader of a stream's positions in the database when a process starts.
struct StreamPositionLoader: Sendable {
  let streamName: Text?
  let instanceName: Text
  let writers: [Text]
  let sequence: Text
  let tables: [StreamIDGenerator.Table]
  let isBackward: Bool

  private var sign: Int64 { isBackward ? -1 : 1 }
  private var isWriter: Bool { writers.isEmpty || writers.contains(instanceName) }

  func load(_ txn: Transaction) throws -> StreamPositions {
    let state = try txn.query("SELECT last_value, is_called FROM \(identifier: sequence)")
    guard let row = state.first else { throw StreamIDError.incomplete(sequence) }
    var (last, isCalled) = try row.decode(Int64.self, Bool.self)
    // The last value of a sequence that was never used is the one that it will hand out first.
    if !isCalled { last -= 1 }
    let largest = try largestID(txn)
    if largest > last, isWriter {
      // Ids that are in the tables already must never be handed out again.
      try txn.execute("SELECT setval(\(sequence)::regclass, greatest(\(largest)::bigint, \(max(last, 1))::bigint))")
      last = largest
    }
    let known = try storedPositions(txn, last: &last)
    guard let smallest = known.values.min() else {
      return StreamPositions(
        instanceName: instanceName, known: [:], configured: writers, largest: largest, rows: [])
    }
    return StreamPositions(
      instanceName: instanceName, known: known, configured: writers, largest: largest,
      rows: try rows(from: smallest, txn))
  }

  private func largestID(_ txn: Transaction) throws -> Int64 {
    guard !tables.isEmpty else { return 0 }
    let parts = tables.map { table -> SQL in
      isBackward
        ? "(SELECT -min(\(identifier: table.idColumn)) FROM \(identifier: table.table))"
        : "(SELECT max(\(identifier: table.idColumn)) FROM \(identifier: table.table))"
    }
    return try txn.query("SELECT greatest(0, \(parts.joined(separator: ", ")))").first?.get(0, as: Int64.self) ?? 0
  }

  private func storedPositions(_ txn: Transaction, last: inout Int64) throws -> [Text: Int64] {
    var known: [Text: Int64] = [:]
    if let streamName, !writers.isEmpty {
      // A writer that returns after a long time has to count as new, without its former position.
      txn.enqueue(
        "DELETE FROM stream_positions WHERE stream_name = \(streamName) AND instance_name <> ALL(\(writers)::text[])")
      for row in try txn.query(
        "SELECT instance_name, stream_id FROM stream_positions WHERE stream_name = \(streamName)")
      {
        let (instance, position) = try row.decode(Text.self, Int64.self)
        known[instance] = position * sign
      }
      if let furthest = known.values.max(), furthest > last {
        // Another process may have moved on since the sequence was looked at.
        last = try txn.query("SELECT last_value FROM \(identifier: sequence)").first?.get(0, as: Int64.self) ?? last
        guard furthest <= last else { throw StreamIDError.behindPositions(streamName, sequence, furthest, last) }
      }
    }
    // Nothing of this process is in flight at its start, so it has come as far as anybody.
    if writers.contains(instanceName) { known[instanceName] = max(last, 1) }
    return known
  }

  private func rows(from smallest: Int64, _ txn: Transaction) throws -> [(instance: Text?, id: Int64)] {
    guard !tables.isEmpty else { return [] }
    let parts = tables.map { table -> SQL in
      let instance: SQL = table.instanceColumn.map { "\(identifier: $0)::text" } ?? "NULL::text"
      let comparison: SQL = isBackward ? "<=" : ">="
      return """
        SELECT \(instance), \(identifier: table.idColumn)::bigint FROM \(identifier: table.table) \
        WHERE \(identifier: table.idColumn) \(comparison) \(smallest * sign)::bigint
        """
    }
    return try txn.query(parts.joined(separator: " UNION ALL ")).map { row in
      let (instance, id) = try row.decode(Text?.self, Int64.self)
      return (instance, id * sign)
    }
  }
}
