import AsyncHTTPClient
import Logging
import MatrixPrimitives
import NIOCore
import NIOHTTP1

/// The caller of other processes' endpoints under `/_synapse/replication/`.
///
/// A call carries the own stream positions, so that the callee has reached what the caller had seen, and waits for the callee's
/// positions before it returns, so that the caller sees what the callee did. Observed on Synapse's wire.
public final class ReplicationClient: Sendable {
  let instanceName: Text
  let instances: [Text: ReplicationAddress]
  let secret: Text?
  private let positions: ReplicationPositions
  private let http: HTTPClient
  /// Connections of their own for requests of clients: those that take long must not hold calls between processes back.
  let forwarding: HTTPClient
  private let retry: RetryPolicy
  let logger: Logger

  /// The waits between attempts; tests use shorter ones.
  struct RetryPolicy: Sendable {
    var timeout: TimeAmount = .seconds(60)
    var afterTimeout: Duration = .seconds(1)
    var afterConnectError: [Duration] = [1, 2, 4, 8, 16, 32].map { .seconds($0) }
  }

  /// Makes a client.
  /// - Parameters:
  ///   - instanceName: name of this process.
  ///   - instances: where other processes are reached, the main process under `master`.
  ///   - secret: `worker_replication_secret`.
  ///   - positions: gives own positions and waits for others.
  ///   - logger: receives failed attempts.
  public convenience init(
    instanceName: Text, instances: [Text: ReplicationAddress], secret: Text?,
    positions: ReplicationPositions, logger: Logger
  ) {
    self.init(
      instanceName: instanceName, instances: instances, secret: secret, positions: positions,
      retry: RetryPolicy(), logger: logger)
  }

  init(
    instanceName: Text, instances: [Text: ReplicationAddress], secret: Text?,
    positions: ReplicationPositions, retry: RetryPolicy, logger: Logger
  ) {
    self.instanceName = instanceName
    self.instances = instances
    self.secret = secret
    self.positions = positions
    self.retry = retry
    self.logger = logger
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    // The attempts here follow the cluster's own rule; the pool must not add its own, nor hold many calls back.
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
    configuration.connectionPool.idleTimeout = .seconds(30)
    http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    forwarding = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }

  deinit {
    http.shutdown { _ in }
    forwarding.shutdown { _ in }
  }

  /// Asks another process to carry a call out.
  /// - Parameters:
  ///   - call: the call.
  ///   - instance: the process to ask; not the own one.
  /// - Returns: the answer.
  /// - Throws: `MatrixError` as the callee reported it, or 502 when it cannot be reached; `ReplicationError` when the
  ///   instance is unknown or the answer is no JSON object.
  public func call<Call: ReplicationCall>(_ call: Call, instance: Text) async throws -> Call.Answer {
    var writer = JSONWriter(capacity: 2048)
    writer.beginObject()
    try call.writeMembers(to: &writer)
    ReplicationRequestEnvelope.write(instanceName: instanceName, positions: positions.own(), to: &writer)
    writer.endObject()
    let path = Self.path(Call.name, call.arguments, cached: Call.isCached)
    let answer = try await exchange(.POST, path, instance: instance, body: writer.bytes)
    await positions.wait(instance, ReplicationRequestEnvelope.positions(inAnswer: answer))
    return try Call.Answer(answer: answer)
  }

  /// Asks a writer for rows of a stream that it holds in memory.
  /// - Parameters:
  ///   - stream: the stream.
  ///   - instance: its writer.
  ///   - from: exclusive lower bound.
  ///   - to: inclusive upper bound.
  /// - Returns: the rows; unreadable ones are left out.
  /// - Throws: as ``call(_:instance:)``.
  public func streamUpdates(
    _ stream: StreamName, instance: Text, from: Int64, to: Int64
  ) async throws -> StreamUpdates {
    let path = Self.path("get_repl_stream_updates", [stream.rawValue], cached: true)
    let answer = try await exchange(
      .GET, "\(path)?from_token=\(from)&upto_token=\(to)", instance: instance, body: nil)
    guard let updates = answer["updates"]?.elements, let upTo = answer["upto_token"]?.integer else {
      throw ReplicationError(.unexpectedAnswer, "get_repl_stream_updates: updates and upto_token are expected")
    }
    var rows: [(token: Int64, row: StreamRow)] = []
    for update in updates {
      guard let token = update[0]?.integer, let json = update[1] else {
        throw ReplicationError(.unexpectedAnswer, "get_repl_stream_updates: [token, row] is expected")
      }
      do {
        rows.append((token, try StreamRow(stream: stream, json: json)))
      } catch {
        logger.error("replication row is unreadable", metadata: ["stream": "\(stream)", "error": "\(error)"])
      }
    }
    return StreamUpdates(rows: rows, upTo: upTo, limited: answer["limited"]?.bool ?? false)
  }

  static func path(_ endpoint: Text, _ arguments: [Text], cached: Bool) -> Text {
    let transaction = cached ? [RandomString.letters(10)] : []
    let segments = arguments.map(PathEncoding.encode) + transaction
    return "/_synapse/replication/\(endpoint)/\(segments.joined(separator: "/"))"
  }
}

// MARK: - Attempts

extension ReplicationClient {
  private enum Outcome {
    case answer(status: Int, body: [UInt8])
    case timeout
    case connectError(any Error)
    /// The process closed a connection that was kept open, or died.
    case closed(any Error)
  }

  /// Repeats the request under the same transaction id until there is an answer: without limit after timeouts, a few times
  /// while the process cannot be reached.
  private func exchange(
    _ method: HTTPMethod, _ path: Text, instance: Text, body: [UInt8]?
  ) async throws -> JSONValue {
    guard instance != instanceName, let address = instances[instance] else {
      throw ReplicationError(.unknownInstance, "\(instance) is not another process in instance_map")
    }
    // A connection that was kept open may turn out to be closed: the first time is no reason to wait.
    var connectDelays = retry.afterConnectError[...]
    var isFirstClosing = true
    while true {
      switch try await attempt(method, address.url(path: path), body) {
      case .answer(let status, let bytes):
        return try Self.result(status: status, bytes: bytes)
      case .timeout:
        logger.warning("replication call timed out", metadata: ["instance": "\(instance)"])
        try await Task.sleep(for: retry.afterTimeout)
      case .closed where isFirstClosing: isFirstClosing = false
      case .connectError(let error), .closed(let error):
        logger.warning(
          "process cannot be reached", metadata: ["instance": "\(instance)", "error": "\(error)"])
        guard let delay = connectDelays.popFirst() else {
          throw MatrixError.unknown("Failed to talk to \(instance)", status: 502)
        }
        try await Task.sleep(for: delay)
      }
    }
  }

  private func attempt(_ method: HTTPMethod, _ url: Text, _ body: [UInt8]?) async throws -> Outcome {
    var request = HTTPClientRequest(url: url.string)
    request.method = method
    if let secret { request.headers.add(name: "Authorization", value: "Bearer \(secret)") }
    if let body {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(ByteBuffer(bytes: body))
    }
    do {
      let response = try await http.execute(request, timeout: retry.timeout, logger: nil)
      let bytes = try await response.body.collect(upTo: 256 << 20)
      return .answer(status: Int(response.status.code), body: Array(bytes.readableBytesView))
    } catch let error as CancellationError {
      throw error
    } catch let error as HTTPClientError where error == .cancelled {
      throw CancellationError()
    } catch let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout {
      return .timeout
    } catch let error as HTTPClientError where error == .remoteConnectionClosed {
      return .closed(error)
    } catch {
      return .connectError(error)
    }
  }

  private static func result(status: Int, bytes: [UInt8]) throws -> JSONValue {
    let json = try? JSONValue.parse(bytes)  // What is not JSON is judged by the status below.
    guard status >= 400 else {
      guard let json, json.kind == .object else {
        throw ReplicationError(.unexpectedAnswer, "an object is expected, status \(status)")
      }
      return json
    }
    guard let json, let code = json["errcode"]?.string else {
      throw MatrixError.unknown("Internal server error", status: status)
    }
    var extras: [Text: JSON] = [:]
    for (key, value) in json.json.members ?? [:] where key != "errcode" && key != "error" { extras[key] = value }
    throw MatrixError(
      ErrorCode(rawValue: code), json["error"]?.string ?? "", status: status, extras: extras)
  }
}
