import NIOCore

/// The measurement of how long a message takes to reach every one of many waiting clients.
struct FanOut: Sendable {
  let measurement: Measurement

  func run() async throws -> Report {
    let group = try measurement.dataset.group("large")
    guard let room = group.rooms.first, let sender = group.members.first else { throw BenchError("nobody to send") }
    let outgoing = try await LoadConnection.connect(measurement.target, on: measurement.loop).get()
    // Tokens are positions of streams, the same for all users.
    let since = try await measurement.api.now(sender)
    var watchers: [Watcher] = []
    for number in 0..<measurement.plan.connections {
      let account = group.members[number % group.members.count]
      watchers.append(
        try await Watcher(measurement.secondTarget, account: account, since: since, loop: measurement.loop))
    }
    _ = try await step(0, room, sender, outgoing, &watchers)
    await measurement.gate.pass("measuring")
    let begun = NIODeadline.now()
    var (each, last) = (LatencyRecorder(), LatencyRecorder())
    for number in 0..<max(1, measurement.options.steps) {
      let times = try await step(1 + number, room, sender, outgoing, &watchers)
      for time in times { each.record(nanoseconds: time) }
      last.record(nanoseconds: times.max() ?? 0)
    }
    let seconds = Double((NIODeadline.now() - begun).nanoseconds) / 1e9
    await measurement.gate.pass("measured")
    outgoing.close()
    for watcher in watchers { watcher.connection.close() }
    return Report(
      "fan-out", connections: measurement.plan.connections, steps: last, seconds: seconds, errors: [:],
      figures: ["each_p50": each.summary.p50, "each_p99": each.summary.p99, "last_p50": last.summary.p50])
  }

  /// Sends one message while all wait.
  /// - Returns: After how many nanoseconds each had it.
  private func step(
    _ number: Int, _ room: String, _ sender: Account, _ outgoing: LoadConnection, _ watchers: inout [Watcher]
  ) async throws -> [UInt64] {
    let text = "fan-out-\(measurement.tag)-\(number)."
    return try await withThrowingTaskGroup(of: (Int, Watcher, NIODeadline).self) { group in
      for (position, watcher) in watchers.enumerated() {
        group.addTask {
          var watcher = watcher
          let moment = try await watcher.wait(for: text)
          return (position, watcher, moment)
        }
      }
      // Until all wait: what the last message left to do must be over.
      try await measurement.settle(sender)
      let begun = NIODeadline.now()
      let bytes = measurement.writer.request(
        "PUT", Path.send(room, transaction: text), token: sender.token,
        body: #"{"msgtype":"m.text","body":"\#(text)"}"#)
      let (response, _) = try await outgoing.exchange(bytes)
      guard response.status == 200 else { throw BenchError("a send was answered \(response.status)") }
      var times: [UInt64] = []
      for try await (position, watcher, moment) in group {
        watchers[position] = watcher
        times.append(UInt64(max(0, (moment - begun).nanoseconds)))
      }
      return times
    }
  }
}
