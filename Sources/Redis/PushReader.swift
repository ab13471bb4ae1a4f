import ByteText
import CHiredis
import Glibc

/// A reader of what a subscribed connection sends, with hiredis' reader, without making objects of it: of a message
/// only the text is kept. Answers to logging in are distinguished as far as needed. Used by one thread at a time.
final class PushReader {
  /// What came.
  enum Item: Equatable {
    /// A message on the channel with this place in the list.
    case message(channel: Int, payload: [UInt8])
    /// A channel is subscribed to from here on.
    case subscribed(channel: Int)
    case status
    case error(Text)
    /// Another list, such as the answer to PING.
    case list
    /// Anything else: a text, a number or nothing.
    case single
  }

  private enum Kind {
    case message
    case subscribe
    case other
  }

  private let channels: [[UInt8]]
  private var kind = Kind.other
  private var channel: Int?
  private var payload: [UInt8]?
  private var single: Item?

  /// Makes a reader for these channels.
  init(channels: [Text]) {
    self.channels = channels.map { Array($0.utf8) }
  }

  /// Makes a reader of hiredis report to this object, which must outlive it.
  func attach(to reader: UnsafeMutablePointer<redisReader>) {
    reader.pointee.fn = Self.functions
    reader.pointee.privdata = Unmanaged.passUnretained(self).toOpaque()
  }

  /// Returns what has just been read to its end.
  func take() -> Item {
    defer { begin() }
    if let single { return single }
    switch (kind, channel, payload) {
    case (.message, let channel?, let payload?): return .message(channel: channel, payload: payload)
    case (.subscribe, let channel?, _): return .subscribed(channel: channel)
    default: return .list
    }
  }

  private func begin() {
    kind = .other
    channel = nil
    payload = nil
    single = nil
  }

  private func accept(_ bytes: UnsafeRawBufferPointer, _ task: UnsafePointer<redisReadTask>) {
    guard let parent = task.pointee.parent else {
      switch task.pointee.type {
      case REDIS_REPLY_STATUS: single = .status
      case REDIS_REPLY_ERROR: single = .error(Text(decoding: bytes, as: UTF8.self))
      default: single = .single
      }
      return
    }
    guard parent.pointee.parent == nil else { return }
    switch task.pointee.idx {
    case 0:
      kind = Self.areEqual(bytes, Self.message) ? .message : Self.areEqual(bytes, Self.subscribe) ? .subscribe : .other
    case 1: channel = channels.firstIndex { Self.areEqual(bytes, $0) }
    case 2 where kind == .message: payload = Array(bytes)
    default: break
    }
  }

  private static let message = Array("message".utf8)
  private static let subscribe = Array("subscribe".utf8)

  private static func areEqual(_ bytes: UnsafeRawBufferPointer, _ other: [UInt8]) -> Bool {
    guard let base = bytes.baseAddress, bytes.count == other.count else { return bytes.count == other.count }
    return memcmp(base, other, other.count) == 0
  }

  // MARK: hiredis

  /// hiredis requires an object for each part; all of them are the collecting one.
  private static func collector(_ task: UnsafePointer<redisReadTask>?) -> PushReader? {
    task?.pointee.privdata.map { Unmanaged<PushReader>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Never changed, and hiredis only reads it.
  nonisolated(unsafe) private static let functions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
    let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
    functions.initialize(
      to: redisReplyObjectFunctions(
        createString: { task, text, length in
          guard let task, let text, length >= 0, let collector = PushReader.collector(task) else { return nil }
          collector.accept(UnsafeRawBufferPointer(start: text, count: length), task)
          return task.pointee.privdata
        },
        createArray: { task, count in
          guard let task, (0...RedisReplyReader.elementLimit).contains(Int(count)) else { return nil }
          return task.pointee.privdata
        },
        createInteger: { task, _ in
          PushReader.collector(task)?.acceptOther(task)
          return task?.pointee.privdata
        },
        createNil: { task in
          PushReader.collector(task)?.acceptOther(task)
          return task?.pointee.privdata
        },
        freeObject: { _ in }))
    return functions
  }()

  private func acceptOther(_ task: UnsafePointer<redisReadTask>?) {
    if task?.pointee.parent == nil { single = .single }
  }
}
