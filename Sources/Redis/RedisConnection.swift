import ByteText
import NIOCore
import NIOPosix
import NIOSSL

/// An open and authenticated connection for commands.
struct RedisConnection: Sendable {
  let channel: any Channel
  let handler: NIOLoopBound<RedisConnectionHandler>

  /// Opens a connection and logs in.
  /// - Parameters:
  ///   - configuration: where Redis is.
  ///   - eventLoop: loop for the connection.
  static func open(
    _ configuration: RedisConfiguration, on eventLoop: any EventLoop
  ) async throws -> RedisConnection {
    let connection = try await connect(configuration, configuration.tls, on: eventLoop) { channel in
      channel.eventLoop.makeCompletedFuture {
        let handler = try RedisConnectionHandler(pingInterval: configuration.pingInterval)
        try channel.pipeline.syncOperations.addHandler(handler)
        return RedisConnection(
          channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
      }
    }
    do {
      try await connection.logIn(configuration)
      return connection
    } catch {
      try? await connection.channel.close()  // Only fails when it is closed already.
      throw error
    }
  }

  /// Opens a channel, with TLS where it is wanted.
  ///
  /// - Parameters:
  ///   - configuration: where Redis is.
  ///   - tls: the TLS settings; nil connects in the clear.
  ///   - eventLoop: loop for the channel.
  ///   - initialize: adds the handlers inside TLS, and reports the outcome.
  static func connect<Output: Sendable>(
    _ configuration: RedisConfiguration, _ tls: TLSConfiguration?, on eventLoop: any EventLoop,
    initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    let tls = try tls.map { try NIOSSLContext(configuration: $0) }
    let bootstrap = ClientBootstrap(group: eventLoop)
      .connectTimeout(configuration.connectTimeout)
      .channelOption(.socketOption(.so_keepalive), value: 1)
    let secureAndInitialize: @Sendable (any Channel) -> EventLoopFuture<Output> = { channel in
      channel.eventLoop.makeCompletedFuture {
        guard let tls else { return }
        let handler = try NIOSSLClientHandler(context: tls, serverHostname: configuration.serverName?.string)
        try channel.pipeline.syncOperations.addHandler(handler)
      }.flatMap { initialize(channel) }
    }
    switch configuration.endpoint {
    case .tcp(let host, let port):
      return try await bootstrap.connect(host: host.string, port: port, channelInitializer: secureAndInitialize)
    case .unix(let path):
      return try await bootstrap.connect(unixDomainSocketPath: path.string, channelInitializer: secureAndInitialize)
    }
  }

  private func logIn(_ configuration: RedisConfiguration) async throws {
    if let command = configuration.logInCommand { try await expectOK(command) }
    if configuration.database != 0 { try await expectOK(["SELECT", "\(configuration.database)"]) }
    // Proves that commands are accepted: without a password AUTH is not tried, and a loading server refuses it.
    guard case .status = try await command(["PING"]) else {
      throw RedisError(.serverError, "PING was refused")
    }
  }

  private func expectOK(_ arguments: [Text]) async throws {
    if case .error(let message) = try await command(arguments) { throw RedisError(.serverError, message) }
  }

  /// Sends a command and waits for its reply.
  func command(_ arguments: [Text]) async throws -> RedisReply {
    let promise = channel.eventLoop.makePromise(of: RedisReply.self)
    channel.eventLoop.execute {
      guard channel.isActive else {
        return promise.fail(handler.value.failure ?? RedisError(.notConnected, "the connection was closed"))
      }
      var buffer = channel.allocator.buffer(capacity: 64)
      do {
        try RedisCommandEncoder.append(arguments.map { Array($0.utf8) }, to: &buffer)
      } catch {
        return promise.fail(error)
      }
      handler.value.await([.promise(promise)])
      channel.writeAndFlush(buffer, promise: nil)
    }
    return try await promise.futureResult.get()
  }

  /// Waits until the connection is closed, and closes it when the task is cancelled.
  /// - Returns: why it was closed.
  func waitUntilClosed() async -> any Error {
    await withTaskCancellationHandler {
      try? await channel.closeFuture.get()  // The reason is kept by the handler.
    } onCancel: {
      channel.close(promise: nil)
    }
    let failure = try? await channel.eventLoop.submit { handler.value.failure }.get()
    return (failure ?? nil) ?? RedisError(.notConnected, "the connection was closed")
  }
}

extension RedisConfiguration {
  /// The server's name for TLS; an address is checked against the certificate without a name.
  fileprivate var serverName: Text? {
    guard case .tcp(let host, _) = endpoint, (try? SocketAddress(ipAddress: host.string, port: 0)) == nil else {
      return nil
    }
    return host
  }
}

/// The growing wait between attempts to connect.
struct RedisBackoff {
  private var next: Duration = .milliseconds(50)

  /// Waits, longer with each attempt up to 5 s; returns at once when the task is cancelled.
  mutating func pause() async {
    try? await Task.sleep(for: next)  // Cancellation ends the wait; the caller looks for it.
    next = min(next * 2, .seconds(5))
  }

  /// Starts with short waits again, after a connection that lasted.
  mutating func reset() { next = .milliseconds(50) }
}
