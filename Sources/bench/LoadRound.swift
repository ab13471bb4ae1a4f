import NIOCore
import Synchronization

/// A load on a server for a while, closed-loop or open-loop, and the count of what comes back.
///
/// All connections live on one event loop, so one thread is all that the generator can use, and its share of one core shows
/// how far it is from its limit.
final class LoadRound: Sendable {
  private struct State {
    var connections: [LoadConnection?]
    /// Connections without a request, in an open-loop round.
    var idle: [Int] = []
    /// The requests that are due and found no idle connection; `served` of them have gone out.
    var waiting: [UInt64] = []
    var served = 0
    var arrived = 0
    var nextNumber = 0
    var busy = 0
    var begin: UInt64?
    var end: UInt64?
    var isStopped = false
    var isUsedUp = false
    var tally = LoadTally()
  }

  private let target: Target
  private let plan: LoadPlan
  private let workload: Workload
  private let loop: any EventLoop
  private let state: Mutex<State>

  init(_ target: Target, plan: LoadPlan, workload: Workload, loop: any EventLoop) {
    self.target = target
    self.plan = plan
    self.workload = workload
    self.loop = loop
    state = Mutex(State(connections: Array(repeating: nil, count: max(1, plan.connections))))
  }

  /// Warms up, measures, waits for what is still on its way, and closes the connections.
  func run(gate: Gate) async throws -> LoadResult {
    try await connect()
    start()
    try await Task.sleep(for: .seconds(plan.warmUp))
    await gate.pass("measuring")
    let before = try await threadSeconds()
    let begin = state.withLock { state in
      let now = NIODeadline.now().uptimeNanoseconds
      state.begin = now
      return now
    }
    try await Task.sleep(for: .seconds(plan.seconds))
    if plan.rate == nil { try await waitForMinimum(since: begin) }
    let end = state.withLock { state in
      let now = NIODeadline.now().uptimeNanoseconds
      state.end = now
      state.isStopped = state.isStopped || plan.rate != nil
      return now
    }
    let after = try await threadSeconds()
    if plan.rate != nil { try await drain(seconds: 10) }
    await gate.pass("measured")
    state.withLock { $0.isStopped = true }
    try await drain(seconds: 60)
    return finish(begin: begin, end: end, threadSeconds: after - before)
  }

  private func finish(begin: UInt64, end: UInt64, threadSeconds: Double) -> LoadResult {
    state.withLock { state in
      if plan.rate != nil {
        let lost = state.waiting[state.served...].count { $0 >= begin && $0 < end }
        state.tally.noteUnanswered(lost)
      }
      for connection in state.connections { connection?.close() }
      // With few answers the window ends at the last one, so that a piece of an answer is not counted as a pause.
      let isCut = plan.rate == nil && (state.tally.latency.count < 200 || state.isUsedUp) && state.tally.last > begin
      let nanoseconds = (isCut ? state.tally.last : end) - begin
      return LoadResult(tally: state.tally, seconds: Double(nanoseconds) / 1e9, threadSeconds: threadSeconds)
    }
  }

  // Connections

  private func connect() async throws {
    for slot in 0..<max(1, plan.connections) {
      let connection = try await LoadConnection.connect(target, on: loop).get()
      state.withLock { $0.connections[slot] = connection }
    }
  }

  private func start() {
    loop.execute { [self] in
      let slots = max(1, plan.connections)
      guard let rate = plan.rate else {
        state.withLock { $0.busy = slots }
        for slot in 0..<slots { issue(slot, due: nil) }
        return
      }
      state.withLock { $0.idle = Array(0..<slots) }
      arrive(OpenLoopSchedule(rate: rate, start: NIODeadline.now().uptimeNanoseconds))
    }
  }

  /// Sends the requests that are due, and comes back when the next one is.
  private func arrive(_ schedule: OpenLoopSchedule) {
    let count = schedule.count(at: NIODeadline.now().uptimeNanoseconds)
    let (starts, arrived) = state.withLock { state -> ([(Int, UInt64)], Int?) in
      guard !state.isStopped else { return ([], nil) }
      var starts: [(Int, UInt64)] = []
      for number in state.arrived..<max(state.arrived, count) {
        let due = schedule.due(number)
        if let slot = state.idle.popLast() {
          state.busy += 1
          starts.append((slot, due))
        } else {
          state.waiting.append(due)
        }
      }
      state.arrived = max(state.arrived, count)
      return (starts, state.arrived)
    }
    for (slot, due) in starts { issue(slot, due: due) }
    guard let arrived else { return }
    loop.scheduleTask(deadline: .uptimeNanoseconds(schedule.due(arrived))) { [self] in arrive(schedule) }
  }

  /// Sends the next request on a connection, which counts as busy already.
  /// - Parameter due: The moment from which latency counts; nil is now.
  private func issue(_ slot: Int, due: UInt64?) {
    let (number, connection) = state.withLock { state in
      state.nextNumber += 1
      return (state.nextNumber - 1, state.connections[slot])
    }
    guard let bytes = workload.request(number) else {
      state.withLock { state in
        state.isUsedUp = true
        state.busy -= 1
      }
      return
    }
    let since = due ?? NIODeadline.now().uptimeNanoseconds
    let call = LoadCall(bytes) { [self] outcome in ended(slot, since: since, outcome) }
    if let connection { return connection.perform(call) }
    LoadConnection.connect(target, on: loop).whenComplete { [self] result in
      switch result {
      case .success(let connection):
        state.withLock { $0.connections[slot] = connection }
        connection.perform(call)
      case .failure(let error): call.ended(.broken("no connection: \(error)"))
      }
    }
  }

  private func ended(_ slot: Int, since: UInt64, _ outcome: LoadCall.Outcome) {
    let now = NIODeadline.now().uptimeNanoseconds
    let isBroken = if case .broken = outcome { true } else { false }
    let goesOn = state.withLock { state -> (due: UInt64?, Bool) in
      if isMeasured(since: since, now: now, state) {
        state.tally.note(outcome, nanoseconds: now >= since ? now - since : 0, at: now)
      }
      if case .answered(let response) = outcome, !response.closes {} else { state.connections[slot] = nil }
      if plan.rate == nil, !state.isStopped { return (nil, true) }
      if plan.rate != nil, state.served < state.waiting.count {
        state.served += 1
        return (state.waiting[state.served - 1], true)
      }
      state.busy -= 1
      state.idle.append(slot)
      return (nil, false)
    }
    guard goesOn.1 else { return }
    guard isBroken else { return issue(slot, due: goesOn.due) }
    // A server that refuses connections is not asked again at once.
    loop.scheduleTask(in: .milliseconds(50)) { [self] in issue(slot, due: goesOn.due) }
  }

  /// Returns whether an answer counts: in a closed-loop round what is answered within its window, in an open-loop round
  /// what is due within it.
  private func isMeasured(since: UInt64, now: UInt64, _ state: State) -> Bool {
    guard let begin = state.begin else { return false }
    let moment = plan.rate == nil ? now : since
    return moment >= begin && moment < state.end ?? .max
  }

  // Waiting

  private func waitForMinimum(since begin: UInt64) async throws {
    let (limit, end) = (begin + UInt64(plan.seconds * 5e9), begin + UInt64(max(60, plan.seconds * 5) * 1e9))
    while NIODeadline.now().uptimeNanoseconds < end {
      let (count, isUsedUp) = state.withLock { ($0.tally.latency.count, $0.isUsedUp && $0.busy == 0) }
      let isLate = NIODeadline.now().uptimeNanoseconds >= limit
      if isUsedUp || count >= plan.minimumAnswers || (isLate && count > 0) { return }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  private func drain(seconds: Double) async throws {
    let limit = NIODeadline.now().uptimeNanoseconds + UInt64(seconds * 1e9)
    while state.withLock({ $0.busy > 0 }), NIODeadline.now().uptimeNanoseconds < limit {
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  private func threadSeconds() async throws -> Double {
    try await loop.submit { ThreadClock.current() }.get()
  }
}
