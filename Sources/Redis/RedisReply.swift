import ByteText

/// A reply of the server (RESP2).
public enum RedisReply: Sendable, Hashable {
  /// The bytes of a bulk string.
  case string([UInt8])
  /// A status such as `OK`.
  case status(Text)
  /// An error message such as `NOAUTH …`.
  case error(Text)
  /// A number.
  case integer(Int64)
  /// The answer "no such key".
  case null
  /// A list.
  case array([RedisReply])

  /// The elements of a list.
  var elements: [RedisReply]? {
    if case .array(let elements) = self { elements } else { nil }
  }
}
