import ByteText
import NIOCore
import Synchronization

/// The open connections of a process.
final class ConnectionRegistry: Sendable {
  private let entries = Mutex<[ObjectIdentifier: Connection]>([:])

  /// The number of open connections.
  var count: Int { entries.withLock { $0.count } }

  /// Finds what is known of a connection; nil once it is closed.
  func connection(_ channel: any Channel) -> Connection? {
    entries.withLock { $0[ObjectIdentifier(channel)] }
  }

  func opened(_ channel: any Channel) {
    let connection = Connection(channel)
    entries.withLock { $0[ObjectIdentifier(channel)] = connection }
  }

  func closed(_ channel: any Channel) {
    entries.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }?.close()
  }

  /// Notes that the client has finished sending for good.
  func inputClosed(_ channel: any Channel) {
    connection(channel)?.close()
  }
}

/// One connection: whose it is, and what to do when it is hung up on.
final class Connection: Sendable {
  private struct State {
    var isClosed = false
    var onDisconnect: (@Sendable () -> Void)?
  }

  let channel: any Channel
  /// The address of the other side as text; empty for a socket in the file system.
  let remoteAddress: Text
  private let state = Mutex(State())

  init(_ channel: any Channel) {
    self.channel = channel
    let address = Text(channel.remoteAddress?.ipAddress ?? "")
    // A socket for both families shows IPv4 clients as IPv4-mapped IPv6 addresses.
    remoteAddress = address.contains(UInt8(ascii: ".")) ? address.dropping(prefix: "::ffff:") ?? address : address
  }

  /// Notes that the client has gone or finished sending for good.
  func close() {
    let action = state.withLock { state in
      state.isClosed = true
      return state.onDisconnect.take()
    }
    action?()
  }

  /// Sets what happens when the client hangs up; at once if it has already. Nil forgets the action.
  func onDisconnect(_ action: (@Sendable () -> Void)?) {
    let isGone = state.withLock { state in
      state.onDisconnect = state.isClosed ? nil : action
      return state.isClosed
    }
    if isGone { action?() }
  }
}

/// A handler that reports the life of one connection to the registry.
final class ConnectionObserver: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = Any

  private let registry: ConnectionRegistry

  init(_ registry: ConnectionRegistry) {
    self.registry = registry
  }

  func handlerAdded(context: ChannelHandlerContext) {
    registry.opened(context.channel)
  }

  func channelInactive(context: ChannelHandlerContext) {
    registry.closed(context.channel)
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    registry.closed(context.channel)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed? = event as? ChannelEvent { registry.inputClosed(context.channel) }
    context.fireUserInboundEventTriggered(event)
  }
}
