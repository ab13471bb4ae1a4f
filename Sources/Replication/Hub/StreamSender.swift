import Logging
import MatrixPrimitives
import Synchronization

/// The sender of the own rows of one stream, in token order, to the transport and to the own process.
final class StreamSender: Sendable {
  private struct State {
    /// Rows whose token the own position has not reached, ascending by token.
    var pending: [(token: Int64, rows: [StreamRow])] = []
    /// Token up to which everything was announced.
    var lastSent: Int64?
    /// The highest token whose rows are not at hand: up to there positions are announced instead of rows, in such a way
    /// that everybody reads the rows from the source.
    var missingThrough: Int64?
  }

  private let instanceName: Text
  private let pendingLimit: Int
  private let lane: StreamLane
  private let transport: any ReplicationTransport
  private let canSend: @Sendable () -> Bool
  private let logger: Logger
  private let state = Mutex(State())

  init(
    instanceName: Text, pendingLimit: Int, lane: StreamLane, transport: any ReplicationTransport,
    canSend: @escaping @Sendable () -> Bool, logger: Logger
  ) {
    self.instanceName = instanceName
    self.pendingLimit = pendingLimit
    self.lane = lane
    self.transport = transport
    self.canSend = canSend
    self.logger = logger
  }

  var hasPending: Bool { state.withLock { !$0.pending.isEmpty || $0.missingThrough != nil } }

  /// Takes the position at start as announced, so that the first POSITION does not claim older rows.
  func start() {
    guard let source = lane.source else { return }
    let current = source.currentToken(of: instanceName)
    state.withLock { if $0.lastSent == nil { $0.lastSent = current } }
  }

  func add(token: Int64, rows: [StreamRow]) {
    guard !rows.isEmpty else { return }
    state.withLock { state in
      if let last = state.lastSent, token <= last {
        logger.warning(
          "rows were published after their position; other processes miss them",
          metadata: ["stream": "\(lane.stream)", "token": "\(token)", "position": "\(last)"])
        lane.enqueue(.own(batch(token, rows)))
        return
      }
      guard state.pending.count < pendingLimit else {
        state.missingThrough = max(state.missingThrough ?? token, state.pending.last?.token ?? token, token)
        state.pending.removeAll()
        return
      }
      insert(token, rows, &state)
    }
  }

  /// Makes everybody read the rows of a token from the source, because it is unknown whether they are stored.
  func addUnknown(token: Int64) {
    state.withLock { $0.missingThrough = max($0.missingThrough ?? token, token) }
  }

  private func insert(_ token: Int64, _ rows: [StreamRow], _ state: inout State) {
    var index = state.pending.endIndex
    while index > 0, state.pending[index - 1].token > token { index -= 1 }
    if index > 0, state.pending[index - 1].token == token {
      state.pending[index - 1].rows.append(contentsOf: rows)
    } else {
      state.pending.insert((token, rows), at: index)
    }
  }

  /// Sends what the own position has reached.
  /// - Parameter announcingMoves: whether a position that moved without rows is announced, too.
  func flush(announcingMoves: Bool) {
    guard let source = lane.source else { return }
    // Read before locking: a source is free to lock, too. A value that is old by then only sends less.
    let current = source.currentToken(of: instanceName)
    let own = source.minimalLocalToken
    state.withLock { state in
      let ready = state.pending.prefix { $0.token <= current }
      let previous = state.lastSent ?? ready.first.map { $0.token - 1 } ?? current
      guard current > previous else { return }
      if let missing = state.missingThrough {
        state.pending.removeFirst(ready.count)
        if current >= missing { state.missingThrough = nil }
        sendMissing(from: previous, to: current)
      } else if ready.isEmpty {
        // Every process writes `caches`; announcing what others wrote would echo each of their rows. Own ids whose
        // transaction failed are announced: calls between processes carry the own position, and the called one waits for it.
        let reached = lane.stream == .caches ? min(own ?? previous, current) : current
        guard announcingMoves, reached > previous else { return }
        send { [position(previous, reached)] }
        state.lastSent = reached
        return
      } else {
        sendRows(ready, current)
        for (token, rows) in ready { lane.enqueue(.own(batch(token, rows))) }
        state.pending.removeFirst(ready.count)
      }
      state.lastSent = current
    }
  }

  /// Announces the own position, after what is still to be sent.
  func announce() {
    start()
    flush(announcingMoves: true)
    state.withLock { state in
      guard let last = state.lastSent else { return }
      send { [position(last, last)] }
    }
  }

  private func sendRows(_ ready: ArraySlice<(token: Int64, rows: [StreamRow])>, _ current: Int64) {
    send {
      var lines: [ReplicationCommand] = []
      for (token, rows) in ready {
        for (index, row) in rows.enumerated() {
          let word = index == rows.count - 1 ? token : nil
          lines.append(.rdata(stream: lane.stream, instance: instanceName, token: word, row: row.encoded))
        }
      }
      if let last = ready.last, last.token < current { lines.append(position(last.token, current)) }
      return lines
    }
  }

  private func sendMissing(from: Int64, to: Int64) {
    // A reader between a position's two numbers assumes that there were no rows.
    send { [position(to, to)] }
    lane.enqueue(.ownMissed(from: from, to: to))
  }

  private func send(_ commands: () -> [ReplicationCommand]) {
    guard canSend() else { return }
    var lines: [OutboundLine] = []
    for command in commands() {
      do {
        lines.append(OutboundLine(bytes: try command.encode()))
      } catch {
        logger.error("row cannot be sent", metadata: ["stream": "\(lane.stream)", "error": "\(error)"])
      }
    }
    transport.send(lines)
  }

  private func position(_ previous: Int64, _ new: Int64) -> ReplicationCommand {
    .position(stream: lane.stream, instance: instanceName, previous: previous, new: new)
  }

  private func batch(_ token: Int64, _ rows: [StreamRow]) -> StreamBatch {
    StreamBatch(stream: lane.stream, instanceName: instanceName, token: token, rows: rows)
  }
}
