import ByteText

/// Text as its UTF-8 bytes, both ways, without making a `String` of it.
///
/// Meant for large text that is parsed as bytes anyway, above all the JSON of events.
public struct SQLText: Sendable, Hashable, SQLBindable, SQLDecodable, SQLArrayLiteralElement {
  /// The text in UTF-8.
  public let bytes: [UInt8]

  /// Wraps UTF-8 bytes. A NUL among them is refused when a statement with them is sent.
  public init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// Writes texts as a PostgreSQL array, for a list within a list: an array cannot hold arrays of different lengths, but
  /// texts that are cast to arrays.
  public init(arrayOf elements: [Text]) {
    if case .textBytes(let literal) = Text.sqlValue(of: elements) { bytes = literal } else { bytes = [] }
  }

  /// Copies the bytes of a cell.
  public init(sqlCell cell: SQLCell) throws(PostgresError) {
    bytes = Array(try cell.notNull())
  }

  /// The bytes as text.
  public var sqlValue: SQLValue { .textBytes(bytes) }

  /// Appends the text in double quotes.
  public func appendArrayElement(to literal: inout [UInt8]) {
    literal.append(UInt8(ascii: "\""))
    for byte in bytes {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { literal.append(UInt8(ascii: "\\")) }
      literal.append(byte)
    }
    literal.append(UInt8(ascii: "\""))
  }
}
