import ByteText

/// Holds a reply of the server (RESP2).
public enum RedisReply: Sendable, Hashable {
  /// Holds the bytes of a bulk string.
  case string([UInt8])
  /// Holds a status such as `OK`.
  case status(Text)
  /// Holds an error message such as `NOAUTH …`.
  case error(Text)
  /// Holds a number.
  case integer(Int64)
  /// Stands for "no such key".
  case null
  /// Holds a list.
  case array([RedisReply])

  /// Holds the elements of a list.
  var elements: [RedisReply]? {
    if case .array(let elements) = self { elements } else { nil }
  }
}
