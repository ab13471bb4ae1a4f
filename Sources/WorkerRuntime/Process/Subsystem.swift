import EndpointKit
import Replication
import ServiceLifecycle

/// A capability of a process: what it answers, what runs beside that, and what is done at start and end.
///
/// A role is a list of subsystems (``Role``). Each makes its services from the ``ProcessContext`` and from the subsystems that it is given, and
/// lives in a target of its own, so that a process links only what its role picks. The order of the list is the order of dependencies: all
/// phases go through it from the first to the last, the end from the last to the first.
package protocol Subsystem: Sendable {
  /// The endpoints. The runtime mounts those whose resource a listener has; ``Endpoint/Place`` decides what it answers itself.
  var families: [EndpointFamily] { get }
  /// The calls of other processes that it carries out.
  var calls: [ServedCall] { get }
  /// The loops. They start after the hub, in the order of the list, and stop before it, in reverse order, when they see a graceful shutdown.
  var services: [any Service] { get }

  /// Connects with the streams: sources first, then followers. Called once, before the hub runs, after the stores have been connected.
  func connect()
  /// Reads what must be known before the first request; the streams' positions are known. Called once, before the hub runs.
  func start() async throws
  /// Answers all long polls and lets none wait from now on. Called when the process begins to stop.
  func drain() async
  /// Signs off at the other processes after the last request, before the hub stops.
  func finish() async
  /// Adds metrics of its own.
  func write(to metrics: inout MetricsText)
}

extension Subsystem {
  package var families: [EndpointFamily] { [] }
  package var calls: [ServedCall] { [] }
  package var services: [any Service] { [] }
  package func connect() {}
  package func start() async throws {}
  package func drain() async {}
  package func finish() async {}
  package func write(to metrics: inout MetricsText) {}
}
