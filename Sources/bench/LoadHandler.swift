import NIOCore

/// A handler that sends one request at a time on its connection and reads the response.
final class LoadHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = LoadCall
  typealias OutboundOut = ByteBuffer

  private var reader = HTTPResponseReader()
  private var current: LoadCall?

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let call = unwrapOutboundIn(data)
    guard current == nil, context.channel.isActive else {
      promise?.succeed(())
      return call.ended(.broken(current == nil ? "the connection is closed" : "the connection is busy"))
    }
    current = call
    reader = HTTPResponseReader(keepsBody: call.keepsBody)
    context.write(wrapOutboundOut(call.bytes), promise: promise)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var input = unwrapInboundIn(data)
    // What arrives without a request is nothing that a response reader could make sense of.
    guard current != nil else { return context.close(promise: nil) }
    do {
      guard let response = try reader.read(&input) else { return }
      finish(.answered(response))
      if response.closes { context.close(promise: nil) }
    } catch {
      finish(.broken("\(error)"))
      context.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    if let response = try? reader.end() {
      finish(.answered(response))
    } else {
      finish(.broken("the server closed the connection"))
    }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    finish(.broken("\(error)"))
    context.close(promise: nil)
  }

  private func finish(_ outcome: LoadCall.Outcome) {
    guard let call = current else { return }
    current = nil
    call.ended(outcome)
  }
}
