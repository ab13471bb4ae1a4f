/// A JSON value as a tree, for building and changing; reading is cheaper with `JSONValue`.
public enum JSON: Sendable, Hashable {
  case null
  case bool(Bool)
  case integer(Int64)
  case double(Double)
  case string(Text)
  case array([JSON])
  case object([Text: JSON])

  /// Copies a value out of its document. Of a repeated key the last value stays.
  public init(_ value: JSONValue) {
    switch value.kind {
    case .null: self = .null
    case .bool: self = .bool(value.bool ?? false)
    case .integer: self = .integer(value.integer ?? 0)
    case .double: self = .double(value.double ?? 0)
    case .string: self = .string(value.string ?? "")
    case .array: self = .array(value.elements?.map { JSON($0) } ?? [])
    case .object:
      var members: [Text: JSON] = [:]
      if let source = value.members {
        for (key, member) in source { members[key] = JSON(member) }
      }
      self = .object(members)
    }
  }

  /// Parses a whole text into a tree; see `JSONDocument.parse`.
  public static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSON {
    JSON(try JSONValue.parse(bytes))
  }

  /// Parses a whole text into a tree; see `JSONDocument.parse`.
  public static func parse(_ text: Text) throws(JSONError) -> JSON {
    JSON(try JSONValue.parse(text))
  }

  /// The encoded value without white space; the order of an object's members is not fixed.
  public var encoded: [UInt8] {
    var writer = JSONWriter()
    writer.value(self)
    return writer.bytes
  }

  /// Encodes the tree and parses it again, for interfaces that read documents.
  /// - Throws: `JSONError` when the tree is nested deeper than documents may be.
  public func document() throws(JSONError) -> JSONValue {
    try JSONValue.parse(encoded)
  }

  /// Reads, sets or (with nil) removes a member of an object. Reading from anything else gives nil; writing to it does nothing.
  public subscript(_ key: Text) -> JSON? {
    get {
      guard case .object(let members) = self else { return nil }
      return members[key]
    }
    set {
      guard case .object(var members) = self else { return }
      self = .null
      members[key] = newValue
      self = .object(members)
    }
  }

  /// Returns an element of an array; nil if out of range or this is no array.
  public subscript(_ position: Int) -> JSON? {
    guard case .array(let elements) = self, elements.indices.contains(position) else { return nil }
    return elements[position]
  }

  /// The text of a string.
  public var string: Text? {
    guard case .string(let value) = self else { return nil }
    return value
  }

  /// The value of an integer.
  public var integer: Int64? {
    guard case .integer(let value) = self else { return nil }
    return value
  }

  /// The value of any number as a double, integers included.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  /// The value of a boolean.
  public var bool: Bool? {
    guard case .bool(let value) = self else { return nil }
    return value
  }

  /// Whether the value is `null`.
  public var isNull: Bool { self == .null }

  /// The elements of an array.
  public var elements: [JSON]? {
    guard case .array(let elements) = self else { return nil }
    return elements
  }

  /// The members of an object.
  public var members: [Text: JSON]? {
    guard case .object(let members) = self else { return nil }
    return members
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByNilLiteral
{
  /// Makes the value a literal stands for.
  public init(stringLiteral value: String) { self = .string(Text(value)) }
  /// Makes the value a literal stands for.
  public init(integerLiteral value: Int64) { self = .integer(value) }
  /// Makes the value a literal stands for.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// Makes the value a literal stands for.
  public init(floatLiteral value: Double) { self = .double(value) }
  /// Makes the value a literal stands for.
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  /// Makes the value a literal stands for.
  public init(dictionaryLiteral elements: (Text, JSON)...) {
    self = .object(Dictionary(elements) { _, last in last })
  }
  /// Makes the value a literal stands for.
  public init(nilLiteral: ()) { self = .null }
}
