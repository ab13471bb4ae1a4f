import Postgres
import Replication
import ServerConfig

/// All metrics of a process on one page.
struct MetricsPage: Sendable {
  let requests = RequestMetrics()
  let connections = ConnectionRegistry()
  private let process = ProcessMetrics()
  private let context: ProcessContext
  private let subsystems: [any Subsystem]

  init(context: ProcessContext, subsystems: [any Subsystem]) {
    self.context = context
    self.subsystems = subsystems
  }

  /// The page as it is now.
  var text: String {
    var text = MetricsText()
    process.write(to: &text)
    requests.write(to: &text)
    text.sample(
      "myelin_http_connections", .gauge, help: "Open connections of clients.", Double(connections.count))
    writeDatabase(&text)
    writeStreams(&text)
    for subsystem in subsystems { subsystem.write(to: &text) }
    return text.text
  }

  private func writeDatabase(_ text: inout MetricsText) {
    let database = context.database.statistics
    for (name, kind, help, value) in [
      ("queries_total", MetricsText.Kind.counter, "Statements sent to PostgreSQL.", database.queries),
      ("round_trips_total", .counter, "Waits for an answer of PostgreSQL.", database.roundTrips),
      ("transactions_total", .counter, "Transactions begun.", database.transactions),
      ("retries_total", .counter, "Transactions begun again after a conflict.", database.retries),
      ("connections", .gauge, "Open connections to PostgreSQL.", database.connections),
      ("waiting", .gauge, "Tasks that wait for a connection.", database.waiting),
    ] {
      text.sample("myelin_database_\(name)", kind, help: help, Double(value))
    }
  }

  private func writeStreams(_ text: inout MetricsText) {
    text.sample(
      "myelin_replication_connected", .gauge, help: "Whether streams reach other processes.",
      context.hub.isConnected ? 1 : 0)
    text.family(
      "myelin_stream_position", .gauge, help: "How far this process has written each stream.",
      context.hub.ownPositions().sorted { $0.key < $1.key }.map { stream, position in
        ([("stream", stream.string)], Double(position))
      })
  }
}
