import Logging
import MatrixPrimitives
import NIOCore
import Synchronization

/// Everything that arrives for one stream, in order: rows and positions of other writers and the own rows.
///
/// The queue is bounded. What does not fit is not lost: rows of others are caught up after the next POSITION (which
/// the lane asks for), own rows are read back from the source.
final class StreamLane: Sendable {
  enum Handler: Sendable {
    case immediate(@Sendable (StreamBatch) -> Void)
    case awaiting(@Sendable (StreamBatch) async -> Void)
  }

  enum Item: Sendable {
    case rows(instance: Text, token: Int64?, row: [UInt8])
    case position(instance: Text, previous: Int64, new: Int64, isRetry: Bool)
    case own(StreamBatch)
    case ownMissed(from: Int64, to: Int64)
    case connectionChanged
    case barrier(CheckedContinuation<Void, Never>)
  }

  /// What the lane needs from its hub.
  struct Surroundings: Sendable {
    let instanceName: Text
    let queueLimit: Int
    let logger: Logger
    /// The executor that runs the work on the thread that rows arrive on; nil for any.
    let executor: (any TaskExecutor)?
    /// Fetches missed rows of a writer: stream, instance, from, to.
    let fetch: @Sendable (any StreamSource, Text, Int64, Int64) async throws -> StreamUpdates
    /// Called after a position moved or a writer became connected.
    let moved: @Sendable (StreamName) -> Void
    /// Asks all writers to announce their positions.
    let askForPositions: @Sendable () -> Void
  }

  private struct State {
    var source: (any StreamSource)?
    var storeHandlers: [Handler] = []
    var afterHandlers: [Handler] = []
    /// Whether no handler has to be waited for.
    var isImmediate = true
    var queue = CircularBuffer<Item>()
    var isDraining = false
    /// Writers whose POSITION was handled on this connection.
    var connected: Set<Text> = []
    /// Rows sent as `batch` whose number has not come yet.
    var partial: [Text: [[UInt8]]] = [:]
    var failures: [Text: Int] = [:]
    var isDroppingRemote = false
    var ownGap: (from: Int64, to: Int64)?
  }

  let stream: StreamName
  private let surroundings: Surroundings
  private let state = Mutex(State())

  init(stream: StreamName, surroundings: Surroundings) {
    self.stream = stream
    self.surroundings = surroundings
  }

  // MARK: Set-up

  var source: (any StreamSource)? { state.withLock(\.source) }

  func setSource(_ source: some StreamSource) { state.withLock { $0.source = source } }

  func subscribe(_ handler: Handler) { subscribe(handler, \.storeHandlers) }

  func subscribeAfterAdvance(_ handler: Handler) { subscribe(handler, \.afterHandlers) }

  private func subscribe(_ handler: Handler, _ list: WritableKeyPath<State, [Handler]>) {
    state.withLock { state in
      state[keyPath: list].append(handler)
      if case .awaiting = handler { state.isImmediate = false }
    }
  }

  func isConnected(to instance: Text) -> Bool { state.withLock { $0.connected.contains(instance) } }

  /// The writers whose POSITION was handled on this connection.
  var connectedInstances: Set<Text> { state.withLock(\.connected) }

  // MARK: Queue

  func enqueue(_ item: Item) {
    let mustStart = state.withLock { state in
      guard admit(item, &state) else { return false }
      if state.isDraining { return false }
      state.isDraining = true
      return true
    }
    // One task exists exactly while something is queued: an idle stream costs nothing.
    if mustStart { startDraining() }
  }

  /// Takes a row from another process: at once if nothing is queued and no handler has to be waited for.
  ///
  /// To be called on the thread that rows arrive on.
  func receive(instance: Text, token: Int64?, row: [UInt8]) {
    let arrival: Arrival = state.withLock { state in
      guard state.isImmediate, !state.isDraining, !hasWork(state) else { return .isQueued }
      let complete = gather(instance, token, row, &state)
      // Also without a complete batch: what did not fit must be seen to.
      state.isDraining = complete != nil || hasWork(state)
      return complete.map { .isComplete($0, store: state.storeHandlers, after: state.afterHandlers) } ?? .isKept
    }
    switch arrival {
    case .isQueued: return enqueue(.rows(instance: instance, token: token, row: row))
    case .isKept: break
    case .isComplete(let complete, let store, let after):
      if let batch = batch(complete, instance) { deliverImmediately(batch, complete.source, store, after) }
    }
    let mustGoOn = state.withLock { state in
      guard state.isDraining else { return false }
      state.isDraining = hasWork(state)
      return state.isDraining
    }
    if mustGoOn { startDraining() }
  }

  /// What becomes of a row that has arrived.
  private enum Arrival {
    case isQueued
    case isKept
    case isComplete(CompleteRows, store: [Handler], after: [Handler])
  }

  /// The rows of a token, all of which have arrived.
  private struct CompleteRows {
    let token: Int64
    let rows: [[UInt8]]
    let source: any StreamSource
  }

  private func hasWork(_ state: State) -> Bool {
    !state.queue.isEmpty || state.ownGap != nil || state.isDroppingRemote
  }

  private func startDraining() { Task(executorPreference: surroundings.executor) { await self.drain() } }

  /// Waits until everything queued so far is handled.
  func waitUntilIdle() async {
    await withCheckedContinuation { enqueue(.barrier($0)) }
  }

  /// Appends an item, or notes the gap that leaving it out makes.
  private func admit(_ item: Item, _ state: inout State) -> Bool {
    let isFull = state.queue.count >= surroundings.queueLimit
    switch item {
    case .own(let batch) where isFull || state.ownGap != nil:
      state.ownGap = (from: state.ownGap?.from ?? batch.token - 1, to: batch.token)
      return true
    case .rows where isFull || state.isDroppingRemote, .position where isFull || state.isDroppingRemote:
      state.isDroppingRemote = true
      return true
    default:
      state.queue.append(item)
      return true
    }
  }

  private enum Step {
    case handle(Item)
    case fillOwnGap(from: Int64, to: Int64)
    case askForPositions
    case stop
  }

  private func drain() async {
    while true {
      switch state.withLock({ nextStep(&$0) }) {
      case .handle(let item): await handle(item)
      case .fillOwnGap(let from, let to): await handle(.ownMissed(from: from, to: to))
      case .askForPositions:
        surroundings.logger.warning("replication queue overflowed", metadata: ["stream": "\(stream)"])
        surroundings.askForPositions()
      case .stop: return
      }
    }
  }

  private func nextStep(_ state: inout State) -> Step {
    // Waiting for the end of the queue includes what did not fit into it.
    let isAtGap =
      if case .barrier = state.queue.first { state.ownGap != nil || state.isDroppingRemote } else { false }
    if !isAtGap, let item = state.queue.popFirst() { return .handle(item) }
    if let gap = state.ownGap {
      state.ownGap = nil
      return .fillOwnGap(from: gap.from, to: gap.to)
    }
    if state.isDroppingRemote {
      state.isDroppingRemote = false
      state.connected = []
      state.partial = [:]
      return .askForPositions
    }
    state.isDraining = false
    return .stop
  }

  // MARK: Handling

  private func handle(_ item: Item) async {
    switch item {
    case .rows(let instance, let token, let row):
      if let complete = state.withLock({ gather(instance, token, row, &$0) }), let batch = batch(complete, instance) {
        await deliver(batch, advancing: complete.source)
      }
    case .position(let instance, let previous, let new, let isRetry):
      await handlePosition(instance, previous, new, isRetry)
    case .own(let batch): await deliver(batch, advancing: nil)
    case .ownMissed(let from, let to): await deliverOwnMissed(from: from, to: to)
    case .connectionChanged:
      state.withLock {
        $0.connected = []
        $0.partial = [:]
      }
    case .barrier(let continuation): continuation.resume()
    }
  }

  /// Keeps a row until the number of its batch comes.
  ///
  /// - Returns: the batch's rows, when these are all.
  private func gather(_ instance: Text, _ token: Int64?, _ row: [UInt8], _ state: inout State) -> CompleteRows? {
    // Before the writer's first POSITION nothing is known to be complete; that POSITION triggers a catch-up.
    guard let source = state.source, state.connected.contains(instance) else { return nil }
    if let token, state.partial.isEmpty { return CompleteRows(token: token, rows: [row], source: source) }
    guard state.partial[instance, default: []].count < surroundings.queueLimit else {
      state.isDroppingRemote = true
      return nil
    }
    state.partial[instance, default: []].append(row)
    guard let token, let rows = state.partial.removeValue(forKey: instance) else { return nil }
    return CompleteRows(token: token, rows: rows, source: source)
  }

  /// Reads a batch; nil when it is known already.
  private func batch(_ complete: CompleteRows, _ instance: Text) -> StreamBatch? {
    guard complete.token > complete.source.currentToken(of: instance) else { return nil }
    return StreamBatch(
      stream: stream, instanceName: instance, token: complete.token, rows: complete.rows.compactMap(parse))
  }

  private func parse(_ row: [UInt8]) -> StreamRow? {
    do {
      return try StreamRow(stream: stream, json: try JSONValue.parse(row))
    } catch {
      // The position still advances: waiting would stall the stream indefinitely on a row that never becomes readable.
      surroundings.logger.error(
        "replication row is unreadable", metadata: ["stream": "\(stream)", "error": "\(error)"])
      return nil
    }
  }

  private func deliver(_ batch: StreamBatch, advancing source: (any StreamSource)?) async {
    let (store, after) = state.withLock { ($0.storeHandlers, $0.afterHandlers) }
    for handler in store { await handler.take(batch) }
    advance(to: batch, source)
    for handler in after { await handler.take(batch) }
  }

  /// Does the same where no handler has to be waited for.
  private func deliverImmediately(
    _ batch: StreamBatch, _ source: any StreamSource, _ store: [Handler], _ after: [Handler]
  ) {
    for case .immediate(let handler) in store { handler(batch) }
    advance(to: batch, source)
    for case .immediate(let handler) in after { handler(batch) }
  }

  private func advance(to batch: StreamBatch, _ source: (any StreamSource)?) {
    source?.advance(batch.instanceName, to: batch.token)
    surroundings.moved(stream)
  }
}

extension StreamLane.Handler {
  fileprivate func take(_ batch: StreamBatch) async {
    switch self {
    case .immediate(let handler): handler(batch)
    case .awaiting(let handler): await handler(batch)
    }
  }
}

// MARK: - Positions and catch-up

extension StreamLane {
  private func handlePosition(_ instance: Text, _ previous: Int64, _ new: Int64, _ isRetry: Bool) async {
    guard let source else { return }
    let isConnected = state.withLock { state in
      state.partial[instance] = nil
      return state.connected.contains(instance)
    }
    if isConnected && isRetry { return }
    let current = source.currentToken(of: instance)
    if isConnected && !stream.hasVolatileTokens && new <= current { return }
    state.withLock { _ = $0.connected.remove(instance) }
    do {
      try await catchUp(source, instance, previous: previous, current: current, new: new)
    } catch {
      return retryLater(instance, previous, new, error)
    }
    if stream.hasVolatileTokens || new > source.currentToken(of: instance) { source.advance(instance, to: new) }
    state.withLock {
      $0.connected.insert(instance)
      $0.failures[instance] = nil
    }
    surroundings.moved(stream)
  }

  private func catchUp(
    _ source: any StreamSource, _ instance: Text, previous: Int64, current: Int64, new: Int64
  ) async throws {
    if previous <= current && current <= new { return }
    if current > new {
      // Stored positions never go back: there is nothing to fetch. A counter in memory went back with its writer.
      guard stream.hasVolatileTokens else { return }
      source.advance(instance, to: 0)
    }
    var from = current
    while true {
      let updates = try await surroundings.fetch(source, instance, from, new)
      await deliver(updates, of: instance, advancing: source)
      guard updates.isLimited else { return }
      guard updates.upTo > from || (from > new && updates.upTo > 0) else {
        throw ReplicationError(.stalledCatchUp, "\(stream): no progress behind \(from)")
      }
      from = updates.upTo
    }
  }

  /// Delivers rows grouped by token.
  private func deliver(
    _ updates: StreamUpdates, of instance: Text, advancing source: (any StreamSource)?
  ) async {
    var index = updates.rows.startIndex
    while index < updates.rows.endIndex {
      let token = updates.rows[index].token
      let end = updates.rows[index...].firstIndex { $0.token != token } ?? updates.rows.endIndex
      let rows = updates.rows[index..<end].map(\.row)
      await deliver(
        StreamBatch(stream: stream, instanceName: instance, token: token, rows: rows), advancing: source)
      index = end
    }
  }

  private func retryLater(_ instance: Text, _ previous: Int64, _ new: Int64, _ error: any Error) {
    let failures = state.withLock { state in
      let count = state.failures[instance, default: 0] + 1
      state.failures[instance] = count
      return count
    }
    surroundings.logger.warning(
      "catch-up failed, trying again",
      metadata: ["stream": "\(stream)", "instance": "\(instance)", "error": "\(error)"])
    let seconds = min(30, 1 << min(failures - 1, 5))
    Task { [weak self] in
      try? await Task.sleep(for: .seconds(seconds))  // Not cancelled by anyone; a stale retry is recognised later.
      self?.enqueue(.position(instance: instance, previous: previous, new: new, isRetry: true))
    }
  }

  private func deliverOwnMissed(from: Int64, to: Int64) async {
    guard let source else { return }
    var from = from
    do {
      while from < to {
        let updates = try await source.updates(of: surroundings.instanceName, from: from, to: to, limit: 1000)
        await deliver(updates, of: surroundings.instanceName, advancing: nil)
        guard updates.isLimited, updates.upTo > from else { return }
        from = updates.upTo
      }
    } catch {
      surroundings.logger.error(
        "own rows could not be read back", metadata: ["stream": "\(stream)", "error": "\(error)"])
    }
  }
}
