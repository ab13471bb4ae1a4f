import NIOCore

/// The measurement of a single message on an idle server: until its sender is answered, and until somebody else's
/// waiting sync shows it.
struct Echo: Sendable {
  let measurement: Measurement

  func run() async throws -> Report {
    let group = try measurement.dataset.group("anchor")
    guard let room = group.rooms.first, let sender = group.members.first, let reader = group.members.last else {
      throw BenchError("nobody to send")
    }
    let outgoing = try await LoadConnection.connect(measurement.target, on: measurement.loop).get()
    var watcher = try await Watcher(
      measurement.secondTarget, account: reader, since: try await measurement.api.now(reader), loop: measurement.loop)
    for step in 0..<10 { _ = try await exchange(step, room, sender, outgoing, &watcher) }
    await measurement.gate.pass("measuring")
    let begun = NIODeadline.now()
    var (sent, seen) = (LatencyRecorder(), LatencyRecorder())
    for step in 0..<measurement.options.steps {
      let times = try await exchange(10 + step, room, sender, outgoing, &watcher)
      sent.record(nanoseconds: times.sent)
      seen.record(nanoseconds: times.seen)
    }
    let seconds = Double((NIODeadline.now() - begun).nanoseconds) / 1e9
    await measurement.gate.pass("measured")
    outgoing.close()
    watcher.connection.close()
    return Report(
      "echo", connections: 2, steps: seen, seconds: seconds, errors: [:],
      figures: ["sent_p50": sent.summary.p50, "sent_p99": sent.summary.p99, "seen_p50": seen.summary.p50])
  }

  private func exchange(
    _ step: Int, _ room: String, _ sender: Account, _ outgoing: LoadConnection, _ watcher: inout Watcher
  ) async throws -> (sent: UInt64, seen: UInt64) {
    let text = "echo-\(measurement.tag)-\(step)."
    var waiting = watcher
    async let shown = {
      let moment = try await waiting.wait(for: text)
      return (moment, waiting)
    }()
    // Long enough for the request to be waiting, and for what the last message left to do.
    try await Task.sleep(for: .milliseconds(30))
    let begun = NIODeadline.now()
    let bytes = measurement.writer.request(
      "PUT", Path.send(room, transaction: text), token: sender.token, body: #"{"msgtype":"m.text","body":"\#(text)"}"#)
    let (response, answered) = try await outgoing.exchange(bytes)
    guard response.status == 200 else { throw BenchError("a send was answered \(response.status)") }
    let (moment, after) = try await shown
    watcher = after
    return (UInt64((answered - begun).nanoseconds), UInt64((moment - begun).nanoseconds))
  }
}
