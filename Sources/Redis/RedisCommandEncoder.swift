import CHiredis
import NIOCore

/// The encoding of commands in the server's protocol with hiredis' formatter.
enum RedisCommandEncoder {
  /// Appends a command to a buffer.
  /// - Parameters:
  ///   - arguments: name and arguments; any bytes.
  ///   - buffer: receives the rendered command.
  static func append(_ arguments: [[UInt8]], to buffer: inout ByteBuffer) throws(RedisError) {
    var lengths = arguments.map(\.count)
    var flat: [CChar] = []
    flat.reserveCapacity(lengths.reduce(1, +))
    for argument in arguments { flat.append(contentsOf: argument.lazy.map { CChar(bitPattern: $0) }) }
    flat.append(0)  // An empty argument at the end points here.
    var target: UnsafeMutablePointer<CChar>?
    let length = flat.withUnsafeBufferPointer { flat -> Int32 in
      guard let base = flat.baseAddress else { return -1 }
      var offset = 0
      var pointers: [UnsafePointer<CChar>?] = lengths.map { length in
        defer { offset += length }
        return base + offset
      }
      return redisFormatCommandArgv(&target, Int32(arguments.count), &pointers, &lengths)
    }
    guard length >= 0, let target else { throw RedisError(.protocolViolation, "out of memory") }
    defer { redisFreeCommand(target) }
    buffer.writeBytes(UnsafeRawBufferPointer(start: target, count: Int(length)))
  }
}
