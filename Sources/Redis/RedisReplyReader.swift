import ByteText
import CHiredis

/// A reader that takes a byte stream of the server apart into replies with hiredis' reader.
///
/// The reader's own reply objects are not used: they allocate what an array header promises. Objects made here count
/// their elements, so that a broken server can neither exhaust memory nor outgrow a list. Not thread-safe.
final class RedisReplyReader {
  /// The limit on what may wait in the buffer for the end of a reply.
  static let byteLimit = 64 << 20
  static let elementLimit = 4096

  private let reader: UnsafeMutablePointer<redisReader>
  private let functions: UnsafeMutablePointer<redisReplyObjectFunctions>

  init() throws(RedisError) {
    functions = .allocate(capacity: 1)
    functions.initialize(to: Self.objectFunctions)
    guard let reader = redisReaderCreateWithFunctions(functions) else {
      functions.deallocate()
      throw RedisError(.protocolViolation, "out of memory")
    }
    self.reader = reader
  }

  deinit {
    redisReaderFree(reader)
    functions.deallocate()
  }

  /// Appends bytes from the server.
  func feed(_ bytes: UnsafeRawBufferPointer) throws {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return }
    guard reader.pointee.len - reader.pointee.pos + bytes.count <= Self.byteLimit else {
      throw RedisError(.protocolViolation, "a reply is too large")
    }
    guard redisReaderFeed(reader, base.assumingMemoryBound(to: CChar.self), bytes.count) == REDIS_OK else {
      throw failure
    }
  }

  /// Returns the next complete reply, or nil when more bytes are needed.
  func next() throws -> RedisReply? {
    var object: UnsafeMutableRawPointer?
    guard redisReaderGetReply(reader, &object) == REDIS_OK else { throw failure }
    guard let object else { return nil }
    return Unmanaged<ReplyNode>.fromOpaque(object).takeRetainedValue().reply
  }

  private var failure: RedisError {
    let text = withUnsafeBytes(of: reader.pointee.errstr) { raw in
      Text(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
    }
    return RedisError(.protocolViolation, text)
  }

  /// hiredis keeps the pointer of the root (retained here, taken over by `next` or released by `freeObject`); elements
  /// belong to their list.
  private static var objectFunctions: redisReplyObjectFunctions {
    redisReplyObjectFunctions(
      createString: { task, text, length in
        guard let task, let text, length >= 0 else { return nil }
        return ReplyNode(string: UnsafeRawBufferPointer(start: text, count: length), type: task.pointee.type)
          .attached(to: task)
      },
      createArray: { task, count in
        guard let task, (0...RedisReplyReader.elementLimit).contains(Int(count)) else { return nil }
        return ReplyNode(count: Int(count)).attached(to: task)
      },
      createInteger: { task, number in
        guard let task else { return nil }
        return ReplyNode(.integer(Int64(number))).attached(to: task)
      },
      createNil: { task in
        guard let task else { return nil }
        return ReplyNode(.null).attached(to: task)
      },
      freeObject: { object in
        guard let object else { return }
        Unmanaged<ReplyNode>.fromOpaque(object).release()
      })
  }
}

/// A reply while it is being read.
private final class ReplyNode {
  private let leaf: RedisReply
  private let count: Int?
  private var children: [ReplyNode] = []

  init(_ leaf: RedisReply) {
    self.leaf = leaf
    count = nil
  }

  init(count: Int) {
    leaf = .null
    self.count = count
  }

  convenience init(string bytes: UnsafeRawBufferPointer, type: Int32) {
    switch type {
    case REDIS_REPLY_STATUS: self.init(.status(Text(decoding: bytes, as: UTF8.self)))
    case REDIS_REPLY_ERROR: self.init(.error(Text(decoding: bytes, as: UTF8.self)))
    default: self.init(.string(Array(bytes)))
    }
  }

  var reply: RedisReply { count == nil ? leaf : .array(children.map(\.reply)) }

  /// Puts the node into the list that the task belongs to.
  /// - Returns: the pointer for hiredis; nil, which hiredis reports as an error, when the list is already full.
  func attached(to task: UnsafePointer<redisReadTask>) -> UnsafeMutableRawPointer? {
    guard let parent = task.pointee.parent?.pointee.obj else { return Unmanaged.passRetained(self).toOpaque() }
    return Unmanaged<ReplyNode>.fromOpaque(parent)._withUnsafeGuaranteedRef { list in
      guard list.children.count < list.count ?? 0 else { return nil }
      list.children.append(self)
      return Unmanaged.passUnretained(self).toOpaque()
    }
  }
}
