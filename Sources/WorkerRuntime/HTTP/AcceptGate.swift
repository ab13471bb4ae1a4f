import Logging
import NIOCore

/// A gate that lets a listening socket accept connections only while the process has file descriptors to spare.
///
/// First in the socket's pipeline. A socket whose next connection cannot be accepted stays readable, so that an event loop which
/// keeps reading does nothing else any more; here reading pauses instead, and clients wait in the socket's queue until connections end.
final class AcceptGate: ChannelDuplexHandler {
  typealias InboundIn = Any
  typealias OutboundIn = Any

  /// The time for which the socket is left alone before the next look.
  private static let pause = TimeAmount.milliseconds(200)
  /// The time for which the log says nothing more about it.
  private static let silence = TimeAmount.seconds(60)

  private let connections: ConnectionRegistry
  private let maximumConnections: Int
  private let name: String
  private let logger: Logger
  private var waiting: Scheduled<Void>?
  private var quietUntil = NIODeadline.uptimeNanoseconds(0)

  /// Makes the gate of one socket.
  ///
  /// - Parameters:
  ///   - connections: all open connections of the process.
  ///   - maximumConnections: how many of them there may be before this socket pauses.
  ///   - name: the socket in the log.
  ///   - logger: warned once a minute while connections have to wait.
  init(connections: ConnectionRegistry, maximumConnections: Int, name: String, logger: Logger) {
    self.connections = connections
    self.maximumConnections = maximumConnections
    self.name = name
    self.logger = logger
  }

  func read(context: ChannelHandlerContext) {
    if waiting == nil { context.read() }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if connections.count >= maximumConnections { close(context, "\(connections.count) connections are open") }
    context.fireChannelReadComplete()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A connection that cannot be accepted is no reason to stop listening, which the error would be to those behind; after an error of
    // the socket itself the library closes it.
    guard let error = error as? IOError else { return context.fireErrorCaught(error) }
    close(context, String(describing: error))
  }

  func channelInactive(context: ChannelHandlerContext) {
    waiting?.cancel()
    waiting = nil
    context.fireChannelInactive()
  }

  /// Pauses reading. To stop reading is not enough: after a failed read the library keeps waiting for a readable socket, and it is one.
  private func close(_ context: ChannelHandlerContext, _ reason: String) {
    guard waiting == nil else { return }
    warn(reason)
    setReading(false, context)
    wait(context)
  }

  private func wait(_ context: ChannelHandlerContext) {
    let gate = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    waiting = context.eventLoop.scheduleTask(in: Self.pause) {
      let (handler, context) = gate.value
      guard handler.connections.count < handler.maximumConnections else { return handler.wait(context) }
      handler.waiting = nil
      handler.setReading(true, context)
    }
  }

  private func setReading(_ isReading: Bool, _ context: ChannelHandlerContext) {
    // Fails only when the socket is closed, and then nothing is read anyway.
    try? context.channel.syncOptions?.setOption(.autoRead, value: isReading)
  }

  private func warn(_ reason: String) {
    guard NIODeadline.now() >= quietUntil else { return }
    quietUntil = .now() + Self.silence
    logger.warning("New connections to \(name) have to wait: \(reason)")
  }
}
