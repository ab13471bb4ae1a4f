import Logging
import MatrixPrimitives
import NIOCore
import Synchronization

/// A process's connection to the streams: delivers rows of all writers to subscribers, sends the own rows, keeps
/// positions.
///
/// One exists per process. Sources and subscribers are registered before `run()`. A process acts on rows only by way
/// of its subscriptions; rows that it wrote itself arrive there like those of any other writer, with and without Redis.
///
/// For each batch of rows the hub calls the handlers of `subscribe` in the order of their registration, then moves the
/// writer's position forward, then calls the handlers of `subscribeAfterAdvance`. A store thus drops stale cache entries
/// before anybody can see the new position.
public final class StreamHub: Sendable {
  /// Handles one batch. Serial per stream; may run on the thread that reads from Redis, which it must
  /// not block.
  public typealias BatchHandler = @Sendable (StreamBatch) -> Void
  /// Handles a command other than RDATA, POSITION and REPLICATE; serial.
  public typealias CommandHandler = @Sendable (ReplicationCommand) async -> Void

  private struct Stream: Sendable {
    let lane: StreamLane
    let sender: StreamSender
  }

  private struct State {
    var streams: [StreamName: Stream] = [:]
    var connectCommands: [@Sendable () -> [ReplicationCommand]] = []
    var client: ReplicationClient?
    var isConnected = false
    var isPolling = false
    /// The number of processes that listen, as last counted while waiting for their positions.
    var listeners: Int?
  }

  /// The name of this process in the cluster, `master` for the main process.
  public let instanceName: Text
  private let writers: @Sendable (StreamName) -> [Text]
  private let transport: any ReplicationTransport
  private let clock: ServerClock
  private let logger: Logger
  private let queueLimit: Int
  private let state = Mutex(State())
  private let waiters = PositionWaiters()
  private let commands: CommandLane

  /// Makes a hub; `run()` starts it.
  /// - Parameters:
  ///   - instanceName: name of this process, `master` for the main process.
  ///   - writers: gives the configured writers of a stream.
  ///   - transport: Redis, or nothing in a server of one process.
  ///   - clock: gives the time stamps of cache invalidations.
  ///   - queueLimit: rows that may wait in the queue of a stream before they are caught up from the source instead.
  ///   - logger: receives notices for administrators.
  public init(
    instanceName: Text, writers: @escaping @Sendable (StreamName) -> [Text],
    transport: any ReplicationTransport, clock: ServerClock, queueLimit: Int = 10_000, logger: Logger
  ) {
    self.instanceName = instanceName
    self.writers = writers
    self.transport = transport
    self.clock = clock
    self.queueLimit = queueLimit
    self.logger = logger
    self.commands = CommandLane(limit: queueLimit, logger: logger, executor: transport.executor)
  }

  // MARK: Registration

  /// Adds the source of a stream; a stream without one is neither read nor sent.
  /// - Parameter source: the source of the stream's positions and rows.
  public func register(_ source: some StreamSource) { stream(source.stream).lane.setSource(source) }

  /// Adds a handler that brings stored knowledge up to date (drops cache entries, fills change caches).
  /// - Parameters:
  ///   - stream: stream to follow.
  ///   - handler: called before the position moves, in the order of registration.
  public func subscribe(_ stream: StreamName, _ handler: @escaping BatchHandler) {
    self.stream(stream).lane.subscribe(.immediate(handler))
  }

  /// Adds a handler that acts on news (wakes syncs, sends, pushes).
  /// - Parameters:
  ///   - stream: stream to follow.
  ///   - handler: called when the position has moved, in the order of registration.
  public func subscribeAfterAdvance(_ stream: StreamName, _ handler: @escaping BatchHandler) {
    self.stream(stream).lane.subscribeAfterAdvance(.immediate(handler))
  }

  /// Adds a handler that acts on news and may have to wait, and with it everything else that comes on the stream.
  /// - Parameters:
  ///   - stream: stream to follow.
  ///   - handler: called when the position has moved, in the order of registration.
  public func subscribeAfterAdvance(
    _ stream: StreamName, awaiting handler: @escaping @Sendable (StreamBatch) async -> Void
  ) {
    self.stream(stream).lane.subscribeAfterAdvance(.awaiting(handler))
  }

  /// Adds a handler for commands of other processes. Commands sent by this process come back, too, when it uses Redis.
  /// - Parameter handler: called for each command but RDATA, POSITION and REPLICATE.
  public func onCommand(_ handler: @escaping CommandHandler) { commands.subscribe(handler) }

  /// Adds commands to be sent at every connect, ahead of the request for positions (USER_SYNC of those syncing here).
  /// - Parameter commands: gives the commands; must not block.
  public func onConnect(_ commands: @escaping @Sendable () -> [ReplicationCommand]) {
    state.withLock { $0.connectCommands.append(commands) }
  }

  /// Sets the client through which rows of streams held in memory are caught up from their writers.
  /// - Parameter client: HTTP client for other processes.
  public func catchUp(over client: ReplicationClient) { state.withLock { $0.client = client } }

  private func stream(_ name: StreamName) -> Stream {
    state.withLock { state in
      if let stream = state.streams[name] { return stream }
      let surroundings = StreamLane.Surroundings(
        instanceName: instanceName, queueLimit: queueLimit, logger: logger, executor: transport.executor,
        fetch: { [weak self] source, instance, from, to in
          try await self?.fetch(source, instance, from, to) ?? StreamUpdates(rows: [], upTo: to, limited: false)
        },
        moved: { [waiters] _ in waiters.check() },
        askForPositions: { [weak self] in self?.send(.replicate) })
      let lane = StreamLane(stream: name, surroundings: surroundings)
      let sender = StreamSender(
        instanceName: instanceName, pendingLimit: queueLimit, lane: lane, transport: transport,
        canSend: { [weak self] in self?.canSend ?? false }, logger: logger)
      let stream = Stream(lane: lane, sender: sender)
      state.streams[name] = stream
      return stream
    }
  }

  private func existing(_ name: StreamName) -> Stream? { state.withLock { $0.streams[name] } }

  private var streams: [(name: StreamName, stream: Stream)] {
    state.withLock { $0.streams.map { (name: $0.key, stream: $0.value) } }
  }

  private func isWriter(of stream: StreamName) -> Bool {
    stream == .caches || writers(stream).contains(instanceName)
  }
}

// MARK: - Writing

extension StreamHub {
  /// Sends rows that this process wrote, to the other processes and to the own subscribers.
  ///
  /// Call it when the rows are committed but **before** their stream id is given back (inside the body of `withIDs`):
  /// the hub sends rows in the order of their tokens once the own position has reached them, and a reader that learns of a
  /// position relies on having seen all rows below it. All rows of a token belong into one call.
  /// - Parameters:
  ///   - stream: stream that this process writes.
  ///   - token: id of the rows.
  ///   - rows: the rows; nothing happens when empty.
  public func publish(_ stream: StreamName, token: Int64, rows: [StreamRow]) {
    let target = self.stream(stream)
    guard target.lane.source != nil else {
      logger.error("rows of a stream without a source", metadata: ["stream": "\(stream)"])
      target.lane.enqueue(
        .own(StreamBatch(stream: stream, instanceName: instanceName, token: token, rows: rows)))
      return
    }
    target.sender.add(token: token, rows: rows)
    flush(target)
  }

  /// Makes every process, this one included, read a token's rows from the source once the own position has passed it:
  /// for a write that may or may not have been carried out, because the connection broke during the commit.
  ///
  /// Call it, like `publish`, before the stream id is given back.
  /// - Parameters:
  ///   - stream: stream that this process writes.
  ///   - token: id of the rows.
  public func publishUnknown(_ stream: StreamName, token: Int64) {
    let target = self.stream(stream)
    target.sender.addUnknown(token: token)
    flush(target)
  }

  /// Looks whether the own position has reached rows that were published; call it whenever the own position moved.
  ///
  /// Without it they are found by a timer a few milliseconds later. Must not be called under a lock that the stream's
  /// source takes.
  /// - Parameter stream: stream whose position moved.
  public func wake(_ stream: StreamName) {
    guard let target = existing(stream) else { return }
    flush(target)
    waiters.check()
  }

  /// Informs every process, this one included, that results of a cached function are stale.
  /// - Parameters:
  ///   - token: id from `cache_invalidation_stream_seq`, already stored with the row; see `publish`.
  ///   - cacheFunction: the function as Synapse spells it.
  ///   - keys: its arguments; nil clears the cache.
  public func publishCacheInvalidation(token: Int64, cacheFunction: Text, keys: [Text]?) {
    let row = CachesRow(cacheFunction: cacheFunction, keys: keys, invalidationTS: clock.nowMilliseconds)
    publish(.caches, token: token, rows: [.caches(row)])
  }

  /// Sends a command to the other processes; it is dropped while there is no connection.
  /// - Parameter command: any command; `USER_IP` goes to its own channel.
  public func send(_ command: ReplicationCommand) { send([command]) }

  private func send(_ commands: [ReplicationCommand]) {
    guard canSend else { return }
    var lines: [OutboundLine] = []
    for command in commands {
      do {
        let isUserIP = if case .userIP = command { true } else { false }
        lines.append(OutboundLine(channel: isUserIP ? .userIP : .main, bytes: try command.encode()))
      } catch {
        logger.warning("command cannot be sent", metadata: ["name": "\(command.name)", "error": "\(error)"])
      }
    }
    if !lines.isEmpty { transport.send(lines) }
  }

  private var canSend: Bool { transport.isRemote && state.withLock(\.isConnected) }

  private func flush(_ target: Stream) {
    target.sender.flush(announcingMoves: false)
    guard target.sender.hasPending else { return }
    startPolling()
  }

  private func startPolling() {
    let mustStart = state.withLock { state in
      defer { state.isPolling = true }
      return !state.isPolling
    }
    if mustStart { Task { [weak self] in await self?.pollPending() } }
  }

  /// Looks every few milliseconds after rows whose ids are not finished, in case `wake` is not called.
  private func pollPending() async {
    var waiting = streams.map(\.stream)
    repeat {
      try? await Task.sleep(for: .milliseconds(5))  // Nobody cancels this task; it ends when nothing is pending.
      for target in waiting { target.sender.flush(announcingMoves: false) }
      waiting = streams.map(\.stream).filter(\.sender.hasPending)
    } while !waiting.isEmpty
    state.withLock { $0.isPolling = false }
    // Rows may have come between the last look and the line above.
    if streams.contains(where: \.stream.sender.hasPending) { startPolling() }
  }
}

// MARK: - Positions

extension StreamHub {
  /// Waits until the rows of a writer have been applied here up to a token.
  /// - Parameters:
  ///   - stream: the stream; unknown ones count as reached.
  ///   - instance: the writer.
  ///   - token: position to reach.
  ///   - timeout: longest wait.
  /// - Returns: whether the position was reached in time.
  public func waitForPosition(
    _ stream: StreamName, instance: Text, token: Int64, timeout: Duration = .seconds(5)
  ) async -> Bool {
    guard instance != instanceName, let source = existing(stream)?.lane.source else { return true }
    return await waiters.wait(timeout: timeout) { source.currentToken(of: instance) >= token }
  }

  /// Returns the minimal own positions of all streams that this process writes, as HTTP calls carry them.
  public func ownPositions() -> [Text: Int64] {
    var positions: [Text: Int64] = [:]
    for (name, stream) in streams where isWriter(of: name) {
      guard let source = stream.lane.source else { continue }
      positions[name.rawValue] = source.minimalLocalToken ?? source.currentToken(of: instanceName)
    }
    return positions
  }

  /// Answers a catch-up request of another process, from the source of the stream.
  /// - Parameters:
  ///   - stream: the stream.
  ///   - from: exclusive lower bound.
  ///   - to: inclusive upper bound.
  ///   - limit: number of rows to aim at.
  /// - Throws: `MatrixError` 400 for a stream without a source here; errors of the source.
  public func ownUpdates(
    of stream: StreamName, from: Int64, to: Int64, limit: Int = 100
  ) async throws -> StreamUpdates {
    guard let source = existing(stream)?.lane.source else { throw MatrixError.unknown("Unknown stream", status: 400) }
    return try await source.updates(of: instanceName, from: from, to: to, limit: limit)
  }

  /// Whether there may be other processes, whose rows come after a while.
  public var hasPeers: Bool { transport.isRemote }

  /// Whether the process is connected to the others; always true in a server of one process.
  public var isConnected: Bool { !transport.isRemote || state.withLock(\.isConnected) }

  /// The writers (as `stream/instance`) from which no POSITION came on this connection.
  public var missingPositions: [Text] { missingWriters.map { "\($0.stream)/\($0.instance)" }.sorted() }

  private var missingWriters: [(stream: StreamName, instance: Text)] {
    guard transport.isRemote else { return [] }
    // Every process writes `caches`, which ones exist is not configured; they are not waited for.
    return streams.filter { $0.name != .caches && $0.stream.lane.source != nil }.flatMap { name, stream in
      writers(name).filter { $0 != instanceName && !stream.lane.isConnected(to: $0) }.map { (name, $0) }
    }
  }

  /// Waits until the process has seen a POSITION of every registered stream from every writer that runs, and has
  /// caught up with it: only then may it answer requests from its memory. What a writer that does not run has written
  /// was read at the start.
  public func waitUntilCaughtUp() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [self] in
        _ = await waiters.wait(timeout: nil) { [self] in isConnected && isCaughtUp }
      }
      group.addTask { [self] in
        repeat {
          let count = isConnected ? await transport.listeners() : nil
          state.withLock { $0.listeners = count }
          waiters.check()
        } while (try? await Task.sleep(for: .milliseconds(50))) != nil
      }
      await group.next()
      group.cancelAll()
    }
  }

  private var isCaughtUp: Bool {
    let missing = missingWriters
    if missing.isEmpty { return true }
    // Every process announces `caches`: when as many have done so as listen, the others do not run.
    guard let listeners = state.withLock(\.listeners),
      let heard = existing(.caches)?.lane.connectedInstances, listeners <= heard.count + 1
    else {
      return false
    }
    return missing.allSatisfy { !heard.contains($0.instance) }
  }

  /// Waits until every row and command received or published so far is handled.
  public func waitUntilIdle() async {
    for (_, stream) in streams { await stream.lane.waitUntilIdle() }
    await commands.waitUntilIdle()
  }

  private func fetch(
    _ source: any StreamSource, _ instance: Text, _ from: Int64, _ to: Int64
  ) async throws -> StreamUpdates {
    if source.stream.catchesUpOverHTTP, let client = state.withLock(\.client) {
      return try await client.streamUpdates(source.stream, instance: instance, from: from, to: to)
    }
    return try await source.updates(of: instance, from: from, to: to, limit: 100)
  }
}

// MARK: - Life

extension StreamHub {
  /// Keeps the transport connected and announces positions that moved without rows, until the task is cancelled.
  ///
  /// On the way out what is published is delivered to the own subscribers.
  /// - Throws: errors of the transport that trying again cannot cure.
  public func run() async throws {
    for (name, stream) in streams where isWriter(of: name) { stream.sender.start() }
    defer { state.withLock { $0.isConnected = false } }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await self.transport.run { self.receive($0) } }
      if transport.isRemote { group.addTask { await self.announceMoves() } }
      defer { group.cancelAll() }
      try await group.next()
    }
    await waitUntilIdle()
  }

  /// Announces, each second, positions that moved without rows: ids that were given back unused, and (with several
  /// writers) positions that moved because others wrote.
  private func announceMoves() async {
    while (try? await Beat.wait(seconds: 1)) != nil { tick() }
  }

  func tick() {
    guard canSend else { return }
    for (name, stream) in streams where isWriter(of: name) { stream.sender.flush(announcingMoves: true) }
  }

  private func receive(_ event: TransportEvent) {
    switch event {
    case .connected: didConnect()
    case .disconnected(let reason):
      let wasConnected = state.withLock { state in
        defer { state.isConnected = false }
        return state.isConnected
      }
      if wasConnected { logger.warning("replication connection lost", metadata: ["reason": "\(reason)"]) }
    case .line(let line): receive(line)
    }
  }

  private func didConnect() {
    for (_, stream) in streams { stream.lane.enqueue(.connectionChanged) }
    let connectCommands = state.withLock { state in
      state.isConnected = true
      return state.connectCommands
    }
    logger.info("replication connected")
    send(connectCommands.flatMap { $0() } + [.replicate])
    announce()
    waiters.check()
  }

  private func announce() {
    for (name, stream) in streams where isWriter(of: name) { stream.sender.announce() }
  }

  private func receive(_ line: [UInt8]) {
    do {
      switch try ReplicationCommand(line: line) {
      case .rdata(let stream, let instance, let token, let row):
        guard instance != instanceName, let target = existing(stream) else { return }
        target.lane.receive(instance: instance, token: token, row: row)
      case .position(let stream, let instance, let previous, let new):
        guard instance != instanceName, let target = existing(stream) else { return }
        target.lane.enqueue(.position(instance: instance, previous: previous, new: new, isRetry: false))
      case .replicate: announce()
      case let command: commands.enqueue(command)
      }
    } catch {
      logger.warning("replication line is unreadable", metadata: ["error": "\(error)"])
    }
  }
}
