/// PostgreSQL's text form of a one-dimensional array: `{a,"b, \"c\"",NULL}`.
enum ArrayText {
  /// Calls a reader with every element, unquoted; an element that is an unquoted `NULL` is a NULL cell.
  static func decode<Element>(
    _ cell: SQLCell, _ read: (SQLCell) throws(PostgresError) -> Element
  ) throws(PostgresError) -> [Element] {
    let text = try cell.notNull()
    guard text.count >= 2, text[0] == UInt8(ascii: "{"), text[text.count - 1] == UInt8(ascii: "}") else {
      throw cell.mismatch("a one-dimensional array")
    }
    var elements: [Element] = []
    guard text.count > 2 else { return elements }
    var scratch: [UInt8] = []
    var index = 1
    let end = text.count - 1
    while true {
      let isQuoted = try scan(text, &index, end, into: &scratch, cell)
      let isNull = !isQuoted && scratch.elementsEqual("NULL".utf8)
      elements.append(try element(scratch, isNull: isNull, column: cell.column, read))
      if index == end { return elements }
      guard text[index] == UInt8(ascii: ",") else { throw cell.mismatch("a one-dimensional array") }
      index += 1
    }
  }

  private static func element<Element>(
    _ scratch: [UInt8], isNull: Bool, column: Int, _ read: (SQLCell) throws(PostgresError) -> Element
  ) throws(PostgresError) -> Element {
    if isNull { return try read(SQLCell(bytes: nil, column: column)) }
    let result = scratch.withUnsafeBytes { bytes in
      Result { () throws(PostgresError) in try read(SQLCell(bytes: bytes, column: column)) }
    }
    return try result.get()
  }

  /// Copies one element into `scratch` and leaves `index` on the comma after it or on `end`.
  private static func scan(
    _ text: UnsafeRawBufferPointer, _ index: inout Int, _ end: Int, into scratch: inout [UInt8], _ cell: SQLCell
  ) throws(PostgresError) -> Bool {
    scratch.removeAll(keepingCapacity: true)
    guard index < end else { throw cell.mismatch("a one-dimensional array") }
    guard text[index] == UInt8(ascii: "\"") else {
      while index < end, text[index] != UInt8(ascii: ",") {
        let byte = text[index]
        guard byte != UInt8(ascii: "{"), byte != UInt8(ascii: "}"), byte != UInt8(ascii: "\"") else {
          throw cell.mismatch("a one-dimensional array")
        }
        scratch.append(byte)
        index += 1
      }
      guard !scratch.isEmpty else { throw cell.mismatch("a one-dimensional array") }
      return false
    }
    index += 1
    while index < end {
      var byte = text[index]
      index += 1
      if byte == UInt8(ascii: "\"") { return true }
      if byte == UInt8(ascii: "\\") {
        guard index < end else { break }
        byte = text[index]
        index += 1
      }
      scratch.append(byte)
    }
    throw cell.mismatch("a one-dimensional array")
  }
}
