import CLibPQ
import Glibc
import Logging
import Synchronization
import Threads

/// Single statements of all tasks over a few shared connections, pipelined, on one thread with epoll.
///
/// `@unchecked Sendable`: what crosses threads goes through `mailbox`; the rest is touched by the reactor thread only.
final class Reactor: @unchecked Sendable {
  private struct Mailbox {
    var requests: [ReadRequest] = []
    var connections: [(slot: Int, connection: Connection)] = []
    var outstanding = 0
    var isRunning = false
    var onStopped: [@Sendable () -> Void] = []
    var isStopped = false
  }

  private static let wakeToken = UInt64.max

  private let configuration: PostgresConfiguration
  private let counters: Counters
  private let logger: Logger
  private let stopping = StopFlag()
  private let mailbox = Mutex(Mailbox())
  private let wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
  private let poller = epoll_create1(Int32(EPOLL_CLOEXEC))

  // Reactor thread only.
  private var slots: [SharedConnection]
  private var queue = FIFO<(request: ReadRequest, attempt: Int)>()

  init(_ configuration: PostgresConfiguration, counters: Counters, logger: Logger) {
    self.configuration = configuration
    self.counters = counters
    self.logger = logger
    slots = Array(repeating: SharedConnection(), count: max(1, configuration.sharedConnections))
  }

  deinit {
    close(wakeDescriptor)
    close(poller)
  }

  /// The number of statements that were handed in and not answered.
  var outstanding: Int { mailbox.withLock { $0.outstanding } }

  /// Hands a statement in. What cannot be taken fails at once.
  func submit(_ request: ReadRequest) {
    let limit = configuration.maximumWaiting
    let (refusal, needsWake): (PostgresError?, Bool) = mailbox.withLock { mailbox in
      guard !stopping.isSet else { return (.shutDown, false) }
      guard mailbox.outstanding < limit else { return (.tooMuchWaiting, false) }
      launch(&mailbox)
      mailbox.outstanding += 1
      mailbox.requests.append(request)
      return (nil, mailbox.requests.count == 1)
    }
    if let refusal { request.settle(.failure(refusal)) }
    if needsWake { wake() }
  }

  /// Starts the thread, so that connections are made before the first statement comes.
  func start() {
    mailbox.withLock { launch(&$0) }
  }

  /// Makes the reactor look at its connections; called after a request was abandoned.
  func wake() {
    var one: UInt64 = 1
    // The counter can only overflow, and then the thread is being woken anyway.
    _ = write(wakeDescriptor, &one, 8)
  }

  /// Refuses new statements, waits for those under way, and calls the closure when the connections are closed.
  func stop(_ whenStopped: @escaping @Sendable () -> Void) {
    let isOver = mailbox.withLock { mailbox in
      stopping.set()
      if mailbox.isRunning, !mailbox.isStopped {
        mailbox.onStopped.append(whenStopped)
        return false
      }
      return true
    }
    if isOver { whenStopped() } else { wake() }
  }

  private func launch(_ mailbox: inout Mailbox) {
    guard !mailbox.isRunning else { return }
    mailbox.isRunning = true
    BlockingThread.start("pg-reactor", stackSize: 1 << 20) { [self] in loop() }
  }

  // MARK: - Loop

  private func loop() {
    control(EPOLL_CTL_ADD, wakeDescriptor, Self.wakeToken, wantsOutput: false)
    for slot in slots.indices { connect(slot) }
    var events = Array(repeating: epoll_event(), count: 16)
    var drainDeadline: ContinuousClock.Instant?
    while true {
      let count = epoll_wait(poller, &events, Int32(events.count), nextTimeout())
      for event in events.prefix(Int(max(0, count))) { handle(event) }
      takeMail()
      dispatch()
      interruptAbandoned()
      flush()
      guard stopping.isSet else { continue }
      let deadline = drainDeadline ?? .now + .seconds(5)
      drainDeadline = deadline
      if finish(force: deadline <= .now) { return }
    }
  }

  private func nextTimeout() -> Int32 {
    if stopping.isSet { return 20 }
    guard let deadline = queue.first?.request.deadline else { return -1 }
    return Int32(clamping: max(0, (deadline - .now).wholeMilliseconds) + 1)
  }

  private func handle(_ event: epoll_event) {
    guard event.data.u64 != Self.wakeToken else {
      var value: UInt64 = 0
      _ = read(wakeDescriptor, &value, 8)
      return
    }
    guard let slot = Int(exactly: event.data.u64), slots.indices.contains(slot) else { return }
    if !slots[slot].receive({ settle($0) }) { lose(slot) }
  }

  private func takeMail() {
    let (requests, connections) = mailbox.withLock { mailbox in
      defer {
        mailbox.requests.removeAll(keepingCapacity: true)
        mailbox.connections = []
      }
      return (mailbox.requests, mailbox.connections)
    }
    for request in requests { queue.append((request, 1)) }
    for (slot, connection) in connections {
      slots[slot].isConnecting = false
      guard connection.makeNonBlocking() else {
        connect(slot)
        continue
      }
      slots[slot].connection = connection
      control(EPOLL_CTL_ADD, connection.descriptor, UInt64(slot), wantsOutput: false)
    }
  }

  /// Sends what waits to the connections that have the least to do.
  private func dispatch() {
    while let next = queue.first {
      guard !next.request.isSettled else {
        drop(next.request)
        continue
      }
      guard next.request.deadline > .now else {
        next.request.settle(.failure(.timeout(configuration.waitTimeout, nil)))
        drop(next.request)
        continue
      }
      guard let slot = leastBusy() else { return }
      _ = queue.popFirst()
      counters.countRoundTrip(statements: 1)
      guard let error = slots[slot].send(next.request, attempt: next.attempt) else { continue }
      if error.code == .connectionLost {
        queue.prepend(next)
        lose(slot)
      } else {
        settle(.done(next.request, .failure(error)))
      }
    }
  }

  private func leastBusy() -> Int? {
    var best: Int?
    for index in slots.indices where slots[index].connection != nil {
      let count = slots[index].inFlight.count
      guard count < configuration.pipelineDepth else { continue }
      if let current = best, slots[current].inFlight.count <= count { continue }
      best = index
    }
    return best
  }

  private func flush() {
    for slot in slots.indices {
      guard let connection = slots[slot].connection else { continue }
      guard let hasMore = connection.flush() else {
        lose(slot)
        continue
      }
      guard hasMore != slots[slot].wantsOutput else { continue }
      slots[slot].wantsOutput = hasMore
      control(EPOLL_CTL_MOD, connection.descriptor, UInt64(slot), wantsOutput: hasMore)
    }
  }

  // MARK: - Endings

  private func settle(_ ending: SharedConnection.Ending) {
    switch ending {
    case .done(let request, let result):
      request.settle(result)
      mailbox.withLock { $0.outstanding -= 1 }
    case .again(let request, let attempt):
      counters.retries.wrappingAdd(1, ordering: .relaxed)
      queue.prepend((request, attempt))
    }
  }

  /// Takes the first of the queue out of it.
  private func drop(_ request: ReadRequest) {
    _ = queue.popFirst()
    mailbox.withLock { $0.outstanding -= 1 }
  }

  private func lose(_ slot: Int) {
    guard let connection = slots[slot].connection else { return }
    epoll_ctl(poller, EPOLL_CTL_DEL, connection.descriptor, nil)
    let (error, inFlight) = slots[slot].lose()
    logger.warning("a shared database connection was lost", metadata: ["error": "\(error.message)"])
    for entry in inFlight.reversed() {
      guard let request = entry.request else { continue }
      let mayRepeat = request.isRepeatable && entry.attempt < SharedConnection.maximumAttempts && !stopping.isSet
      settle(
        mayRepeat ? .again(request, attempt: entry.attempt + 1) : .done(request, .failure(entry.batch.error ?? error)))
    }
    connect(slot)
  }

  private func interruptAbandoned() {
    for slot in slots.indices {
      guard let handle = slots[slot].handleForAbandonedStatement() else { continue }
      BlockingThread.start("pg-cancel") { handle.cancel() }
    }
  }

  private func finish(force: Bool) -> Bool {
    for entry in queue.takeAll() { settle(.done(entry.request, .failure(.shutDown))) }
    guard force || slots.allSatisfy({ $0.inFlight.isEmpty }) else { return false }
    for slot in slots.indices {
      for entry in slots[slot].lose().inFlight {
        if let request = entry.request { settle(.done(request, .failure(.shutDown))) }
      }
    }
    let callbacks = mailbox.withLock { mailbox in
      mailbox.isStopped = true
      mailbox.connections = []
      defer { mailbox.onStopped = [] }
      return mailbox.onStopped
    }
    for callback in callbacks { callback() }
    return true
  }

  // MARK: - Connections

  /// Connects on a thread of its own, because looking up a name or a slow server would hold up the other connections.
  private func connect(_ slot: Int) {
    guard !slots[slot].isConnecting, !stopping.isSet else { return }
    slots[slot].isConnecting = true
    BlockingThread.start("pg-connect", stackSize: 2 << 20) { [configuration, counters, logger, stopping, weak self] in
      let session = WorkerSession(
        connection: nil, configuration: configuration, counters: counters, logger: logger, stopping: stopping)
      // It fails only at shutdown, when the connection is no longer needed.
      guard let connection = try? session.ready(until: nil) else { return }
      self?.install(connection, slot)
    }
  }

  private func install(_ connection: Connection, _ slot: Int) {
    mailbox.withLock { mailbox in
      if !mailbox.isStopped { mailbox.connections.append((slot, connection)) }
    }
    wake()
  }

  private func control(_ operation: Int32, _ descriptor: Int32, _ token: UInt64, wantsOutput: Bool) {
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | (wantsOutput ? EPOLLOUT.rawValue : 0)
    event.data.u64 = token
    epoll_ctl(poller, operation, descriptor, &event)
  }
}
