import ByteText

/// The text of one cell of a result while it is decoded. Never keep it: the bytes belong to the result.
public struct SQLCell {
  /// The bytes as PostgreSQL wrote them in text form, or `nil` for NULL.
  @usableFromInline let bytes: UnsafeRawBufferPointer?
  /// The number of the column, from 0, for messages.
  @usableFromInline let column: Int

  @usableFromInline
  init(bytes: UnsafeRawBufferPointer?, column: Int) {
    self.bytes = bytes
    self.column = column
  }

  /// Whether the cell is NULL.
  public var isNull: Bool { bytes == nil }

  /// Returns the bytes of a cell that may not be NULL.
  ///
  /// - Throws: `PostgresError` with code `decoding` for NULL.
  @inlinable
  public func notNull() throws(PostgresError) -> UnsafeRawBufferPointer {
    guard let bytes else { throw PostgresError.unexpectedNull(column: column) }
    return bytes
  }

  /// Returns the error for a cell whose text is not what the type needs.
  public func mismatch(_ expected: Text) -> PostgresError {
    let shown = bytes.map { Text(decoding: $0.prefix(40), as: UTF8.self) } ?? "NULL"
    return PostgresError(code: .decoding, message: "column \(column): expected \(expected), found '\(shown)'")
  }

  /// Reads a signed decimal number straight from the bytes.
  @inlinable
  func integer() throws(PostgresError) -> Int64 {
    let text = try notNull()
    var index = 0
    let isNegative = text.count > 0 && text[0] == UInt8(ascii: "-")
    if isNegative { index = 1 }
    guard index < text.count else { throw mismatch("a number") }
    var value: Int64 = 0
    while index < text.count {
      let digit = Int64(text[index]) - 48
      guard digit >= 0, digit <= 9 else { throw mismatch("a number") }
      // Counted downwards, because the smallest Int64 has no positive counterpart.
      let (tens, overflowed) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowedToo) = tens.subtractingReportingOverflow(digit)
      guard !overflowed, !overflowedToo else { throw mismatch("a 64-bit number") }
      value = sum
      index += 1
    }
    if isNegative { return value }
    guard value != .min else { throw mismatch("a 64-bit number") }
    return -value
  }
}
