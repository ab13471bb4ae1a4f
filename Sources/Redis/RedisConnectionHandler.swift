import NIOCore

/// A handler that reads replies from a channel and hands them to the waiting callers; lives on the channel's event
/// loop.
final class RedisConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  /// What is to be done with a reply.
  enum Awaiter {
    /// An error means that a message is lost.
    case acknowledgement
    /// The reply does not matter.
    case nobody
    case promise(EventLoopPromise<RedisReply>)
    /// The reply to the watchdog's PING, which is not counted.
    case watchdog
  }

  private let reader: RedisReplyReader
  private let pingInterval: TimeAmount
  private var awaiting = CircularBuffer<Awaiter>()
  private var onReply: (() -> Void)?
  private var watchdog: RepeatedTask?
  private var hasHeardSincePing = true
  private(set) var failure: (any Error)?

  init(pingInterval: TimeAmount) throws(RedisError) {
    reader = try RedisReplyReader()
    self.pingInterval = pingInterval
  }

  /// Queues what is to be done with the next replies, in the order of the commands.
  func await(_ awaiters: [Awaiter]) { awaiting.append(contentsOf: awaiters) }

  /// Calls a closure for every reply to a command, for counting.
  func onReply(_ closure: @escaping () -> Void) { onReply = closure }

  // MARK: Channel

  func channelActive(context: ChannelHandlerContext) {
    startWatchdog(context)
    context.fireChannelActive()
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { startWatchdog(context) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    hasHeardSincePing = true
    do {
      try unwrapInboundIn(data).withUnsafeReadableBytes { try reader.feed($0) }
      while let reply = try reader.next() {
        take(reply, context)
        guard failure == nil else { return }
      }
    } catch {
      fail(context, error)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    finish()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { finish() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(context, error) }

  // MARK: Replies

  private func take(_ reply: RedisReply, _ context: ChannelHandlerContext) {
    switch awaiting.popFirst() {
    case .promise(let promise):
      onReply?()
      promise.succeed(reply)
    case .nobody: onReply?()
    case .watchdog: break
    case .acknowledgement:
      onReply?()
      // A refused PUBLISH is a lost line: start over, so that positions are compared.
      if case .error(let message) = reply { fail(context, RedisError(.serverError, message)) }
    case nil: fail(context, RedisError(.protocolViolation, "a reply that nobody asked for"))
    }
  }

  private func fail(_ context: ChannelHandlerContext, _ error: any Error) {
    if failure == nil { failure = error }
    context.close(promise: nil)
  }

  private func finish() {
    watchdog?.cancel()
    watchdog = nil
    onReply = nil
    let error = failure ?? RedisError(.notConnected, "the connection was closed")
    while let awaiter = awaiting.popFirst() {
      if case .promise(let promise) = awaiter { promise.fail(error) }
    }
  }

  // MARK: Watchdog

  private func startWatchdog(_ context: ChannelHandlerContext) {
    guard watchdog == nil else { return }
    let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
    watchdog = context.eventLoop.scheduleRepeatedTask(initialDelay: pingInterval, delay: pingInterval) { _ in
      let (handler, context) = bound.value
      handler.ping(context)
    }
  }

  private func ping(_ context: ChannelHandlerContext) {
    guard hasHeardSincePing else {
      return fail(context, RedisError(.unresponsive, "no reply to PING"))
    }
    hasHeardSincePing = false
    var buffer = context.channel.allocator.buffer(capacity: 16)
    do {
      try RedisCommandEncoder.append([Array("PING".utf8)], to: &buffer)
    } catch {
      return fail(context, error)
    }
    awaiting.append(.watchdog)
    context.writeAndFlush(NIOAny(buffer), promise: nil)
  }
}
