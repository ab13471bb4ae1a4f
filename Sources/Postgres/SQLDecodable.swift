import ByteText

/// A type that can be read from a cell of a result. Every reading is checked; a mismatch throws and never traps.
public protocol SQLDecodable {
  /// Reads the value.
  ///
  /// - Throws: `PostgresError` with code `decoding` when the text of the cell is not such a value, or NULL is not allowed.
  init(sqlCell cell: SQLCell) throws(PostgresError)
}

/// A type of which an array can be read from a cell (for `UInt8`: a `bytea`).
public protocol SQLArrayDecodable {
  /// Reads all elements.
  static func decodeArray(_ cell: SQLCell) throws(PostgresError) -> [Self]
}

/// A type that is read element by element from a PostgreSQL array.
public protocol SQLArrayElementDecodable: SQLDecodable, SQLArrayDecodable {}

extension SQLArrayElementDecodable {
  /// Reads a one-dimensional array.
  public static func decodeArray(_ cell: SQLCell) throws(PostgresError) -> [Self] {
    try ArrayText.decode(cell) { element throws(PostgresError) in try Self(sqlCell: element) }
  }
}

extension Text: SQLArrayElementDecodable {
  /// Reads text.
  @inlinable
  public init(sqlCell cell: SQLCell) throws(PostgresError) {
    self = Text(decoding: try cell.notNull(), as: UTF8.self)
  }
}

extension Int64: SQLArrayElementDecodable {
  /// Reads a decimal number.
  @inlinable
  public init(sqlCell cell: SQLCell) throws(PostgresError) {
    self = try cell.integer()
  }
}

extension Int: SQLArrayElementDecodable {
  /// Reads a decimal number.
  @inlinable
  public init(sqlCell cell: SQLCell) throws(PostgresError) {
    guard let value = Int(exactly: try cell.integer()) else { throw cell.mismatch("a number in the range of Int") }
    self = value
  }
}

extension Int32: SQLArrayElementDecodable {
  /// Reads a decimal number.
  @inlinable
  public init(sqlCell cell: SQLCell) throws(PostgresError) {
    guard let value = Int32(exactly: try cell.integer()) else { throw cell.mismatch("a 32-bit number") }
    self = value
  }
}

extension Bool: SQLArrayElementDecodable {
  /// Reads a boolean, or a number of which 0 is false and 1 is true (the schema has flags of both kinds).
  public init(sqlCell cell: SQLCell) throws(PostgresError) {
    let text = try cell.notNull()
    guard text.count == 1, let byte = text.first else { throw cell.mismatch("a boolean") }
    switch byte {
    case UInt8(ascii: "t"), UInt8(ascii: "1"): self = true
    case UInt8(ascii: "f"), UInt8(ascii: "0"): self = false
    default: throw cell.mismatch("a boolean")
    }
  }
}

extension Double: SQLArrayElementDecodable {
  /// Reads a decimal number, `NaN` or `Infinity`.
  public init(sqlCell cell: SQLCell) throws(PostgresError) {
    guard let value = Double(Text(decoding: try cell.notNull(), as: UTF8.self)) else {
      throw cell.mismatch("a floating-point number")
    }
    self = value
  }
}

extension UInt8: SQLArrayDecodable {
  /// Reads a `bytea` in its hexadecimal form.
  public static func decodeArray(_ cell: SQLCell) throws(PostgresError) -> [UInt8] {
    let text = try cell.notNull()
    guard text.count >= 2, text.count.isMultiple(of: 2), text[0] == UInt8(ascii: "\\"), text[1] == UInt8(ascii: "x")
    else { throw cell.mismatch("a bytea in hexadecimal form") }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2 - 1)
    var index = 2
    while index < text.count {
      guard let high = hexDigit(text[index]), let low = hexDigit(text[index + 1]) else {
        throw cell.mismatch("a bytea in hexadecimal form")
      }
      bytes.append(high << 4 | low)
      index += 2
    }
    return bytes
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

extension Array: SQLDecodable where Element: SQLArrayDecodable {
  /// Reads a one-dimensional array, or a `bytea` for bytes.
  public init(sqlCell cell: SQLCell) throws(PostgresError) {
    self = try Element.decodeArray(cell)
  }
}

extension Array: SQLArrayDecodable where Element == UInt8 {
  /// Reads a `bytea[]`.
  public static func decodeArray(_ cell: SQLCell) throws(PostgresError) -> [[UInt8]] {
    try ArrayText.decode(cell) { element throws(PostgresError) in try UInt8.decodeArray(element) }
  }
}

extension Optional: SQLDecodable where Wrapped: SQLDecodable {
  /// Reads `nil` from NULL.
  @inlinable
  public init(sqlCell cell: SQLCell) throws(PostgresError) {
    self = cell.isNull ? nil : try Wrapped(sqlCell: cell)
  }
}

extension Optional: SQLArrayDecodable where Wrapped: SQLArrayElementDecodable {
  /// Reads a one-dimensional array whose elements may be NULL.
  public static func decodeArray(_ cell: SQLCell) throws(PostgresError) -> [Wrapped?] {
    try ArrayText.decode(cell) { element throws(PostgresError) in try Wrapped?(sqlCell: element) }
  }
}
