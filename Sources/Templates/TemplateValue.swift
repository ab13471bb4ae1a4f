import MatrixPrimitives

/// A value that templates show, test and go through.
public indirect enum TemplateValue: Sendable {
  /// A name or member that does not exist; shown as nothing.
  case undefined(Text)
  case none
  case bool(Bool)
  case integer(Int64)
  case double(Double)
  /// A text that is escaped where it is shown in HTML.
  case text(Text)
  /// A text that is HTML already.
  case markup(Text)
  case list([TemplateValue])
  case mapping(TemplateMapping)
  /// A macro, which is called.
  case macro(TemplateMacro)

  /// Takes a tree of JSON over; members of objects are ordered by name.
  public init(_ json: JSON) {
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .double(let value): self = .double(value)
    case .string(let value): self = .text(value)
    case .array(let elements): self = .list(elements.map { TemplateValue($0) })
    case .object(let members):
      self = .mapping(
        TemplateMapping(members.sorted { $0.key < $1.key }.map { (.text($0.key), TemplateValue($0.value)) }))
    }
  }
}

/// A mapping that keeps the order of its entries.
public struct TemplateMapping: Sendable {
  /// The entries.
  public var entries: [(key: TemplateValue, value: TemplateValue)]

  /// Collects entries; of a repeated key the first counts.
  public init(_ entries: [(key: TemplateValue, value: TemplateValue)]) { self.entries = entries }

  subscript(_ key: TemplateValue) -> TemplateValue? { entries.first { $0.key == key }?.value }
}

extension TemplateValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral {
  /// Takes a literal text, which is escaped in HTML.
  public init(stringLiteral value: String) { self = .text(Text(value)) }
  /// Takes a literal truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// Takes a literal number.
  public init(integerLiteral value: Int64) { self = .integer(value) }
}

// MARK: - What templates do with values

extension TemplateValue {
  /// Whether the value counts as true in a condition, by Python's rules.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .double(let value): value != 0
    case .text(let value), .markup(let value): !value.isEmpty
    case .list(let elements): !elements.isEmpty
    case .mapping(let mapping): !mapping.entries.isEmpty
    case .macro: true
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }

  /// The characters of a text; nil for anything else.
  var string: Text? {
    switch self {
    case .text(let value), .markup(let value): value
    default: nil
    }
  }

  var integerValue: Int64? {
    switch self {
    case .integer(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  var number: Double? {
    if case .double(let value) = self { return value }
    return integerValue.map { Double($0) }
  }

  /// The value as it is shown, unescaped: Python's `str`.
  var shown: Text {
    switch self {
    case .undefined, .macro: ""
    case .none: "None"
    case .bool(let value): value ? "True" : "False"
    case .integer(let value): Text(value)
    case .double(let value): Text(value)
    case .text(let value), .markup(let value): value
    case .list(let elements): "[" + elements.map(\.represented).joined(separator: ", ") + "]"
    case .mapping(let mapping):
      "{" + mapping.entries.map { "\($0.key.represented): \($0.value.represented)" }.joined(separator: ", ") + "}"
    }
  }

  /// The value within a list as it is shown: Python's `repr`.
  private var represented: Text {
    guard let string else { return shown }
    let quote: Text = string.contains("'") && !string.contains("\"") ? "\"" : "'"
    let escaped = string.replacing(UInt8(ascii: "\\"), with: "\\\\").replacing(UInt8(ascii: "\n"), with: "\\n")
    return quote + (quote == "'" ? escaped.replacing(UInt8(ascii: "'"), with: "\\'") : escaped) + quote
  }

  /// The text for a page: escaped unless it is HTML already.
  var escaped: Text {
    if case .markup(let value) = self { return value }
    return Self.escape(shown)
  }

  static func escape(_ text: Text) -> Text {
    guard text.utf8.contains(where: { "&<>'\"".utf8.contains($0) }) else { return text }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count + 32)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "&"): bytes += "&amp;".utf8
      case UInt8(ascii: "<"): bytes += "&lt;".utf8
      case UInt8(ascii: ">"): bytes += "&gt;".utf8
      case UInt8(ascii: "'"): bytes += "&#39;".utf8
      case UInt8(ascii: "\""): bytes += "&#34;".utf8
      default: bytes.append(byte)
      }
    }
    return Text(decoding: bytes, as: UTF8.self)
  }

  static func == (a: TemplateValue, b: TemplateValue) -> Bool {
    if let a = a.string, let b = b.string { return a == b }
    if let a = a.integerValue, let b = b.integerValue { return a == b }
    if let a = a.number, let b = b.number { return a == b }
    switch (a, b) {
    case (.none, .none), (.undefined, .undefined): return true
    case (.list(let a), .list(let b)): return a.count == b.count && zip(a, b).allSatisfy { $0 == $1 }
    case (.mapping(let a), .mapping(let b)):
      return a.entries.count == b.entries.count
        && a.entries.allSatisfy { entry in b[entry.key].map { $0 == entry.value } ?? false }
    default: return false
    }
  }

  /// Compares numbers or texts; nil for what has no order.
  static func order(_ a: TemplateValue, _ b: TemplateValue) -> Int? {
    if let a = a.string, let b = b.string { return a == b ? 0 : a < b ? -1 : 1 }
    if let a = a.number, let b = b.number { return a == b ? 0 : a < b ? -1 : 1 }
    return nil
  }

  /// The elements that a loop goes through; nil for what cannot be gone through.
  var elements: [TemplateValue]? {
    switch self {
    case .list(let elements): elements
    case .mapping(let mapping): mapping.entries.map(\.key)
    case .text(let value), .markup(let value): value.unicodeScalars.map { .text(Text($0)) }
    case .undefined: []
    default: nil
    }
  }
}

/// A macro: a part of a template that is called with arguments.
public struct TemplateMacro: Sendable {
  let name: Text
  let parameters: [(name: Text, standard: TemplateExpression?)]
  let body: [TemplateNode]
  let program: TemplateProgram
  /// What its own template defines, when the macro was imported.
  var scope: [Text: TemplateValue] = [:]
}
