import NIOCore
import Synchronization

/// Knows the open connections of a process and what to do when one is hung up on.
///
/// Hummingbird hands the responder a channel only; the registry leads from it to the action that the running request wants
/// when the client goes, without the cost of looking a handler up in the pipeline.
final class ConnectionRegistry: Sendable {
  private struct Entry {
    var isClosed = false
    var onDisconnect: (@Sendable () -> Void)?
  }

  private let entries = Mutex<[ObjectIdentifier: Entry]>([:])

  /// Counts the open connections.
  var count: Int { entries.withLock { $0.count } }

  func opened(_ channel: any Channel) {
    entries.withLock { $0[ObjectIdentifier(channel)] = Entry() }
  }

  func closed(_ channel: any Channel) {
    entries.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }?.onDisconnect?()
  }

  /// Notes that the client has finished sending for good.
  func inputClosed(_ channel: any Channel) {
    let action = entries.withLock { entries in
      entries[ObjectIdentifier(channel)]?.isClosed = true
      return entries[ObjectIdentifier(channel)]?.onDisconnect
    }
    action?()
  }

  /// Sets what happens when the client hangs up; at once if it has already. Nil forgets the action.
  func onDisconnect(_ channel: any Channel, _ action: (@Sendable () -> Void)?) {
    let isGone = entries.withLock { entries in
      guard entries[ObjectIdentifier(channel)] != nil else { return true }
      entries[ObjectIdentifier(channel)]?.onDisconnect = action
      return entries[ObjectIdentifier(channel)]?.isClosed == true
    }
    if isGone { action?() }
  }
}

/// Reports the life of one connection to the registry.
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
