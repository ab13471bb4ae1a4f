import NIOCore
import Synchronization

/// Many waiting syncs, so that the memory and the processor time that they cost can be read off the server.
struct LongPolls: Sendable {
  let measurement: Measurement

  func run() async throws -> Report {
    let group = try measurement.dataset.group("large")
    guard let first = group.members.first else { throw BenchError("nobody to wait") }
    let since = try await measurement.api.now(first)
    let count = measurement.plan.connections
    let early = Mutex<[String: Int]>([:])
    let isOver = Mutex(false)
    await measurement.gate.pass("measuring")
    var watchers: [Watcher] = []
    for number in 0..<count {
      let account = group.members[number % group.members.count]
      watchers.append(try await Watcher(measurement.target, account: account, since: since, loop: measurement.loop))
    }
    for watcher in watchers {
      watcher.connection.perform(
        LoadCall(watcher.request) { outcome in
          guard !isOver.withLock({ $0 }) else { return }
          let reason = if case .answered(let response) = outcome { "\(response.status)" } else { "closed" }
          early.withLock { $0["ended early: \(reason)", default: 0] += 1 }
        })
    }
    try await measurement.settle(first)
    try await Task.sleep(for: .seconds(measurement.plan.seconds))
    await measurement.gate.pass("measured")
    isOver.withLock { $0 = true }
    for watcher in watchers { watcher.connection.close() }
    var report = Report(
      "long-polls", connections: count, steps: LatencyRecorder(), seconds: measurement.plan.seconds,
      errors: early.withLock { $0 }, figures: [:])
    report.requests = count
    return report
  }
}
