import ByteText
import CHiredis
import Glibc
import NIOCore

/// A connection that is logged in and subscribed to channels.
///
/// It is opened by one thread, which waits, and then used by the thread that follows it: never by two at a time, which makes
/// `@unchecked Sendable` true.
final class RedisSubscription: @unchecked Sendable {
  private let raw: UnsafeMutablePointer<redisContext>
  private let reader: PushReader
  private let channels: [Text]
  private let pingInterval: Int64
  private var missing: Set<Int>
  private var heardAt: Int64
  /// Whether something was read since `heardAt`. Looking at the clock each time would cost more than the rest of the reading.
  private var hasHeard = false
  private var hasPinged = false
  /// The reason why it is of no more use; nil while it is.
  private(set) var failure: RedisError?

  private init(_ raw: UnsafeMutablePointer<redisContext>, channels: [Text], pingInterval: TimeAmount) {
    self.raw = raw
    self.channels = channels
    self.pingInterval = max(pingInterval.nanoseconds / 1_000_000, 1)
    reader = PushReader(channels: channels)
    missing = Set(channels.indices)
    heardAt = Self.now
  }

  deinit { redisFree(raw) }

  // MARK: Opening

  /// Connects, logs in and subscribes; waits for the server.
  ///
  /// - Parameters:
  ///   - configuration: where Redis is.
  ///   - tunnel: a socket that stands for the server; nil connects to it. It is closed with the subscription.
  ///   - channels: channels to follow, at least one.
  static func open(
    _ configuration: RedisConfiguration, tunnel: Int32?, channels: [Text]
  ) throws(RedisError) -> RedisSubscription {
    guard let raw = connect(configuration, tunnel) else {
      if let tunnel { close(tunnel) }
      throw RedisError(.notConnected, "out of memory")
    }
    let subscription = RedisSubscription(raw, channels: channels, pingInterval: configuration.pingInterval)
    guard raw.pointee.err == 0, let reader = raw.pointee.reader else { throw subscription.contextError }
    subscription.reader.attach(to: reader)
    try subscription.logIn(configuration)
    try subscription.append(["SUBSCRIBE"] + channels)
    try subscription.flush()
    subscription.stopWaiting()
    subscription.heardAt = now
    return subscription
  }

  private static func connect(
    _ configuration: RedisConfiguration, _ tunnel: Int32?
  ) -> UnsafeMutablePointer<redisContext>? {
    if let tunnel { return redisConnectFd(tunnel) }
    let patience = timeval(configuration.connectTimeout)
    switch configuration.endpoint {
    case .unix(let path): return redisConnectUnixWithTimeout(path.string, patience)
    case .tcp(let host, let port):
      let raw = redisConnectWithTimeout(host.string, Int32(clamping: port), patience)
      if let raw, raw.pointee.err == 0 { redisEnableKeepAlive(raw) }
      return raw
    }
  }

  private func logIn(_ configuration: RedisConfiguration) throws(RedisError) {
    // Fails only for a socket that does not work, which the first command will show.
    redisSetTimeout(raw, timeval(min(configuration.connectTimeout, configuration.pingInterval)))
    if let command = configuration.logInCommand, case .error(let message) = try ask(command) {
      throw RedisError(.serverError, message)
    }
    // Proves that commands are accepted: without a password AUTH is not tried, and a loading server refuses it.
    switch try ask(["PING"]) {
    case .status: break
    case .error(let message): throw RedisError(.serverError, message)
    default: throw RedisError(.protocolViolation, "PING was answered with something else")
    }
  }

  private func ask(_ arguments: [Text]) throws(RedisError) -> PushReader.Item {
    try append(arguments)
    var reply: UnsafeMutableRawPointer?
    guard redisGetReply(raw, &reply) == REDIS_OK, reply != nil else { throw contextError }
    return reader.take()
  }

  private func append(_ arguments: [Text]) throws(RedisError) {
    var buffer = ByteBuffer()
    try RedisCommandEncoder.append(arguments.map { Array($0.utf8) }, to: &buffer)
    let status = buffer.withUnsafeReadableBytes { bytes in
      redisAppendFormattedCommand(raw, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    guard status == REDIS_OK else { throw contextError }
  }

  private func flush() throws(RedisError) {
    var isDone: Int32 = 0
    while isDone == 0 {
      guard redisBufferWrite(raw, &isDone) == REDIS_OK else { throw contextError }
    }
  }

  /// Makes reading and writing return at once from now on.
  private func stopWaiting() {
    raw.pointee.flags &= ~REDIS_BLOCK
    let flags = fcntl(raw.pointee.fd, F_GETFL)
    _ = fcntl(raw.pointee.fd, F_SETFL, max(flags, 0) | O_NONBLOCK)
  }

  private var contextError: RedisError {
    // hiredis leaves the reason of a failed system call in errno.
    if raw.pointee.err == REDIS_ERR_IO, errno == EAGAIN { return RedisError(.unresponsive, "no reply in time") }
    let text = withUnsafeBytes(of: raw.pointee.errstr) { bytes in
      Text(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    return RedisError(raw.pointee.err == REDIS_ERR_PROTOCOL ? .protocolViolation : .notConnected, text)
  }

  // MARK: Following

  /// The socket to watch.
  var descriptor: Int32 { raw.pointee.fd }

  /// Gives it up.
  func leave() {
    if failure == nil { failure = RedisError(.notConnected, "the connection was closed") }
  }

  /// Reads what has come and hands it on.
  func read(_ receive: (RedisSubscriber.Event) -> Void) {
    guard failure == nil else { return }
    guard redisBufferRead(raw) == REDIS_OK else { return fail(contextError) }
    guard let reader = raw.pointee.reader, reader.pointee.len - reader.pointee.pos <= RedisReplyReader.byteLimit else {
      return fail(RedisError(.protocolViolation, "a reply is too large"))
    }
    hasHeard = true
    hasPinged = false
    deliver(receive)
  }

  /// Hands on what was read already.
  func deliver(_ receive: (RedisSubscriber.Event) -> Void) {
    while failure == nil {
      var object: UnsafeMutableRawPointer?
      guard redisReaderGetReply(raw.pointee.reader, &object) == REDIS_OK else {
        return fail(RedisError(.protocolViolation, "a reply is broken"))
      }
      guard object != nil else { return }
      switch reader.take() {
      case .message(let channel, let payload): receive(.message(channel: channels[channel], payload: payload))
      case .subscribed(let channel):
        if missing.remove(channel) != nil, missing.isEmpty { receive(.subscribed) }
      // The subscription was refused.
      case .error(let message): fail(RedisError(.serverError, message))
      case .status, .single: fail(RedisError(.protocolViolation, "a reply that nobody asked for"))
      case .list: break
      }
    }
  }

  /// Returns how long the server may go on being silent before this has to be asked again, in milliseconds from 1;
  /// sends the PING that is due, and gives a server up that has not answered the last one.
  ///
  /// - Parameter hasJustRead: whether nothing has been waited for since something was read.
  func patience(hasJustRead: Bool) -> Int32 {
    if hasJustRead { return Int32(clamping: pingInterval) }
    let now = Self.now
    if hasHeard { (heardAt, hasHeard) = (now, false) }
    if now >= heardAt + pingInterval {
      if hasPinged {
        fail(RedisError(.unresponsive, "no reply to PING"))
      } else {
        ping()
        heardAt = now
      }
    }
    return failure == nil ? Int32(clamping: max(heardAt + pingInterval - now, 1)) : 0
  }

  private func ping() {
    hasPinged = true
    do throws(RedisError) {
      try append(["PING"])
      var isDone: Int32 = 0
      guard redisBufferWrite(raw, &isDone) == REDIS_OK else { throw contextError }
    } catch {
      fail(error)
    }
  }

  private func fail(_ error: RedisError) { if failure == nil { failure = error } }

  /// Milliseconds of a monotonic clock; it may be slightly late.
  private static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}

extension timeval {
  /// Makes a span of at least a millisecond: none would mean without end.
  fileprivate init(_ amount: TimeAmount) {
    let microseconds = max(amount.nanoseconds / 1000, 1000)
    self.init(tv_sec: Int(microseconds / 1_000_000), tv_usec: Int(microseconds % 1_000_000))
  }
}
