import MatrixPrimitives
import Synchronization

@testable import Replication

/// A transport by which a test plays the rest of the cluster: it takes what the hub sends and injects what others would
/// send.
final class ScriptedTransport: ReplicationTransport {
  private struct State {
    var sent: [Text] = []
    var receive: (@Sendable (TransportEvent) -> Void)?
  }

  private let state = Mutex(State())
  private let started: AsyncStream<Void>
  private let start: AsyncStream<Void>.Continuation

  init() { (started, start) = AsyncStream.makeStream() }

  var isRemote: Bool { true }

  func send(_ lines: [OutboundLine]) {
    state.withLock { $0.sent.append(contentsOf: lines.map { Text(decoding: $0.bytes, as: UTF8.self) }) }
  }

  func run(_ receive: @escaping @Sendable (TransportEvent) -> Void) async throws {
    state.withLock { $0.receive = receive }
    start.yield()
    let (never, end) = AsyncStream<Void>.makeStream()
    for await _ in never {}
    end.finish()
  }

  /// Waits until the hub runs the transport.
  func waitForStart() async { for await _ in started { return } }

  func inject(_ events: TransportEvent...) {
    let receive = state.withLock(\.receive)
    for event in events { receive?(event) }
  }

  func inject(lines: Text...) { for line in lines { inject(.line(Array(line.utf8))) } }

  /// Takes the lines sent since the last call.
  func takeSent() -> [Text] {
    state.withLock { state in
      defer { state.sent = [] }
      return state.sent
    }
  }
}

/// A source of positions and rows in memory.
final class ScriptedSource: StreamSource {
  private struct State {
    var positions: [Text: Int64] = [:]
    var own: Int64?
    var stored: [(instance: Text, token: Int64, row: StreamRow)] = []
    var asked: [Text] = []
    var failures = 0
    var advances: [Text] = []
  }

  let stream: StreamName
  private let state = Mutex(State())

  init(_ stream: StreamName, positions: [Text: Int64] = [:]) {
    self.stream = stream
    state.withLock { $0.positions = positions }
  }

  var minimalLocalToken: Int64? { state.withLock(\.own) }

  func currentToken(of instance: Text) -> Int64 { state.withLock { $0.positions[instance] ?? 1 } }

  func advance(_ instance: Text, to token: Int64) {
    state.withLock {
      $0.positions[instance] = token
      $0.advances.append("\(instance)=\(token)")
    }
  }

  func updates(of instance: Text, from: Int64, to: Int64, limit: Int) async throws -> StreamUpdates {
    try state.withLock { state in
      state.asked.append("\(instance) \(from)-\(to)")
      if state.failures > 0 {
        state.failures -= 1
        throw ReplicationError(.unexpectedAnswer, "scripted failure")
      }
      // Three tokens a page, to exercise paging.
      let found = state.stored.filter { $0.instance == instance && $0.token > from && $0.token <= to }
      let tokens = Array(Set(found.map(\.token))).sorted()
      guard tokens.count > 3 else {
        return StreamUpdates(rows: found.map { ($0.token, $0.row) }, upTo: to, limited: false)
      }
      return StreamUpdates(
        rows: found.filter { $0.token <= tokens[2] }.map { ($0.token, $0.row) }, upTo: tokens[2], limited: true)
    }
  }

  func store(_ instance: Text, _ token: Int64, _ row: StreamRow) {
    state.withLock { $0.stored.append((instance, token, row)) }
  }

  func failNext(_ count: Int) { state.withLock { $0.failures = count } }

  func setOwn(_ token: Int64) { state.withLock { $0.own = token } }

  func setPosition(_ instance: Text, _ token: Int64) { state.withLock { $0.positions[instance] = token } }

  var asked: [Text] { state.withLock(\.asked) }

  var advances: [Text] { state.withLock(\.advances) }
}

/// A record of what handlers were told.
final class Diary: Sendable {
  private let entries = Mutex<[Text]>([])

  func note(_ entry: Text) { entries.withLock { $0.append(entry) } }

  func note(_ batch: StreamBatch) {
    note(
      "\(batch.instanceName) \(batch.token) \(batch.rows.map { Text(decoding: $0.encoded, as: UTF8.self) }.joined())")
  }

  func take() -> [Text] {
    entries.withLock { entries in
      defer { entries = [] }
      return entries
    }
  }
}
