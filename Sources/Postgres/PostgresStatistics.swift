import Synchronization

/// The counts of what a client has done since it was made.
public struct PostgresStatistics: Sendable, Hashable {
  /// Statements sent, BEGIN and COMMIT included.
  public var queries = 0
  /// Batches sent and waited for.
  public var roundTrips = 0
  /// Transactions that were committed.
  public var transactions = 0
  /// Attempts that were repeated after a collision, a lost connection or a stale plan.
  public var retries = 0
  /// Connections that were opened.
  public var connections = 0
  /// Work that waits for a connection at this moment.
  public var waiting = 0
}

/// The counters, which all threads of a client add to.
final class Counters: Sendable {
  let queries = Atomic<Int>(0)
  let roundTrips = Atomic<Int>(0)
  let transactions = Atomic<Int>(0)
  let retries = Atomic<Int>(0)
  let connections = Atomic<Int>(0)

  func countRoundTrip(statements: Int) {
    queries.wrappingAdd(statements, ordering: .relaxed)
    roundTrips.wrappingAdd(1, ordering: .relaxed)
  }

  func snapshot(waiting: Int) -> PostgresStatistics {
    PostgresStatistics(
      queries: queries.load(ordering: .relaxed), roundTrips: roundTrips.load(ordering: .relaxed),
      transactions: transactions.load(ordering: .relaxed), retries: retries.load(ordering: .relaxed),
      connections: connections.load(ordering: .relaxed), waiting: waiting)
  }
}
