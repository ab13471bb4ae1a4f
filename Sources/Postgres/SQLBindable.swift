import ByteText

/// One value in the form in which it is sent to PostgreSQL.
public enum SQLValue: Sendable, Hashable {
  /// NULL.
  case null
  /// A number, sent as decimal text.
  case integer(Int64)
  /// Text. A NUL in it is refused when the statement is sent, because PostgreSQL cannot store one.
  case text(Text)
  /// Text that is already UTF-8 bytes, for example an event's JSON or an array literal.
  case textBytes([UInt8])
  /// A `bytea`, sent in binary form.
  case bytes([UInt8])
}

/// A type whose values can be bound to a statement.
public protocol SQLBindable {
  /// The value in the form in which it is sent.
  var sqlValue: SQLValue { get }
}

/// A type of which an array can be bound as a PostgreSQL array (or, for `UInt8`, as a `bytea`).
public protocol SQLArrayBindable {
  /// Returns an array of such values in the form in which it is sent.
  static func sqlValue(of elements: [Self]) -> SQLValue
}

/// A type that can write itself as an element of an array literal.
public protocol SQLArrayLiteralElement: SQLArrayBindable {
  /// Appends the element, quoted where its text could be read as syntax.
  func appendArrayElement(to literal: inout [UInt8])
}

extension SQLArrayLiteralElement {
  /// Returns a one-dimensional array literal.
  public static func sqlValue(of elements: [Self]) -> SQLValue {
    ArrayLiteral.make(elements) { element, literal in element.appendArrayElement(to: &literal) }
  }
}

enum ArrayLiteral {
  static func make<Element>(_ elements: [Element], _ append: (Element, inout [UInt8]) -> Void) -> SQLValue {
    var literal: [UInt8] = []
    literal.reserveCapacity(2 + elements.count * 16)
    literal.append(UInt8(ascii: "{"))
    var isFirst = true
    for element in elements {
      if !isFirst { literal.append(UInt8(ascii: ",")) }
      isFirst = false
      append(element, &literal)
    }
    literal.append(UInt8(ascii: "}"))
    return .textBytes(literal)
  }

  static func appendQuoted(_ text: String.UTF8View, to literal: inout [UInt8]) {
    literal.append(UInt8(ascii: "\""))
    for byte in text {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { literal.append(UInt8(ascii: "\\")) }
      literal.append(byte)
    }
    literal.append(UInt8(ascii: "\""))
  }

  static func appendHex(_ bytes: [UInt8], to literal: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    literal.append(contentsOf: Array("\"\\\\x".utf8))
    for byte in bytes {
      literal.append(digits[Int(byte >> 4)])
      literal.append(digits[Int(byte & 15)])
    }
    literal.append(UInt8(ascii: "\""))
  }
}

extension SQLValue: SQLBindable {
  /// The value itself.
  public var sqlValue: SQLValue { self }
}

extension Text: SQLBindable, SQLArrayLiteralElement {
  /// The string as text.
  public var sqlValue: SQLValue { .text(self) }
  /// Appends the string in double quotes.
  public func appendArrayElement(to literal: inout [UInt8]) { ArrayLiteral.appendQuoted(utf8, to: &literal) }
}

extension Int64: SQLBindable, SQLArrayLiteralElement {
  /// The number itself.
  public var sqlValue: SQLValue { .integer(self) }
  /// Appends the number in decimal digits.
  public func appendArrayElement(to literal: inout [UInt8]) { literal.append(contentsOf: Text(self).utf8) }
}

extension Int: SQLBindable, SQLArrayLiteralElement {
  /// The number itself.
  public var sqlValue: SQLValue { .integer(Int64(self)) }
  /// Appends the number in decimal digits.
  public func appendArrayElement(to literal: inout [UInt8]) { literal.append(contentsOf: Text(self).utf8) }
}

extension Int32: SQLBindable, SQLArrayLiteralElement {
  /// The number itself.
  public var sqlValue: SQLValue { .integer(Int64(self)) }
  /// Appends the number in decimal digits.
  public func appendArrayElement(to literal: inout [UInt8]) { literal.append(contentsOf: Text(self).utf8) }
}

extension Bool: SQLBindable, SQLArrayLiteralElement {
  /// The text `t` or `f`.
  public var sqlValue: SQLValue { .text(self ? "t" : "f") }
  /// Appends `t` or `f`.
  public func appendArrayElement(to literal: inout [UInt8]) { literal.append(UInt8(ascii: self ? "t" : "f")) }
}

extension Double: SQLBindable, SQLArrayLiteralElement {
  /// The shortest decimal text that reads back as the same number.
  public var sqlValue: SQLValue { .text(sqlText) }
  /// Appends the number in decimal form.
  public func appendArrayElement(to literal: inout [UInt8]) { literal.append(contentsOf: sqlText.utf8) }

  private var sqlText: Text {
    if isNaN { return "NaN" }
    if isInfinite { return self < 0 ? "-Infinity" : "Infinity" }
    return Text(self)
  }
}

extension UInt8: SQLArrayBindable {
  /// Returns the bytes as a `bytea`.
  public static func sqlValue(of elements: [UInt8]) -> SQLValue { .bytes(elements) }
}

extension Array: SQLBindable where Element: SQLArrayBindable {
  /// A `bytea` for bytes, otherwise an array literal.
  public var sqlValue: SQLValue { Element.sqlValue(of: self) }
}

extension Array: SQLArrayBindable where Element == UInt8 {
  /// Returns a `bytea[]` literal in hexadecimal form.
  public static func sqlValue(of elements: [[UInt8]]) -> SQLValue {
    ArrayLiteral.make(elements) { element, literal in ArrayLiteral.appendHex(element, to: &literal) }
  }
}

extension Array: SQLArrayLiteralElement where Element == UInt8 {
  /// Appends the bytes in hexadecimal form.
  public func appendArrayElement(to literal: inout [UInt8]) { ArrayLiteral.appendHex(self, to: &literal) }
}

extension Optional: SQLBindable where Wrapped: SQLBindable {
  /// The wrapped value, or NULL for `nil`.
  public var sqlValue: SQLValue { self?.sqlValue ?? .null }
}

extension Optional: SQLArrayBindable where Wrapped: SQLArrayLiteralElement {
  /// Returns an array literal in which `nil` is NULL.
  public static func sqlValue(of elements: [Wrapped?]) -> SQLValue {
    ArrayLiteral.make(elements) { element, literal in
      if let element { element.appendArrayElement(to: &literal) } else { literal.append(contentsOf: "NULL".utf8) }
    }
  }
}
