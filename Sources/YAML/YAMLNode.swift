import ByteText

/// One value of a YAML document together with the place where it is written.
///
/// Scalars are already resolved to the types that PyYAML's safe loader gives them (YAML 1.1): `yes` is a boolean,
/// `0644` an octal integer, `1_000` a thousand. What looks like a date stays text.
public struct YAMLNode: Sendable {
  /// The shapes that a value can have.
  public enum Content: Sendable {
    /// An empty value, `~` or `null`.
    case null
    /// `true`/`false`, `yes`/`no`, `on`/`off`.
    case bool(Bool)
    /// A whole number that fits in 64 bits.
    case integer(Int64)
    /// A number with a point, or a whole number beyond 64 bits.
    case double(Double)
    /// Anything else that is a scalar, and every quoted scalar.
    case string(Text)
    /// A list.
    case sequence([YAMLNode])
    /// Keys and values.
    case mapping(YAMLMapping)
  }

  /// The resolved value.
  public let content: Content
  /// The place of the first character of the value.
  public let mark: YAMLMark
  /// A scalar's text as written (without quotes); nil for lists and mappings.
  public let text: Text?

  /// Makes a node from its parts, for values that come from somewhere else than a file.
  public init(content: Content, mark: YAMLMark, text: Text? = nil) {
    self.content = content
    self.mark = mark
    self.text = text
  }

  /// The text of a string scalar; nil for any other type, numbers included.
  public var string: Text? {
    if case .string(let value) = content { value } else { nil }
  }

  /// The value of an integer scalar; nil for any other type.
  public var integer: Int64? {
    if case .integer(let value) = content { value } else { nil }
  }

  /// The value of a number, whole or not; nil for any other type.
  public var double: Double? {
    switch content {
    case .integer(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  /// The value of a boolean scalar; nil for any other type.
  public var bool: Bool? {
    if case .bool(let value) = content { value } else { nil }
  }

  /// Whether the value is null or empty.
  public var isNull: Bool {
    if case .null = content { true } else { false }
  }

  /// The elements of a list; nil for any other type.
  public var elements: [YAMLNode]? {
    if case .sequence(let value) = content { value } else { nil }
  }

  /// The mapping; nil for any other type.
  public var mapping: YAMLMapping? {
    if case .mapping(let value) = content { value } else { nil }
  }

  /// Looks a text key up; nil when the node is no mapping or has no such key.
  public subscript(_ key: Text) -> YAMLNode? { mapping?[key] }

  /// The value in a few words for a message of the form "found X, expected Y"; long text is cut.
  public var summary: Text {
    switch content {
    case .null: "nothing"
    case .bool(let value): "the boolean \(value)"
    case .integer(let value): "the number \(value)"
    case .double(let value): "the number \(text ?? Text(value))"
    case .string(let value): value.utf8.count > 60 ? "\"\(value.utf8Prefix(57))...\"" : "\"\(value)\""
    case .sequence(let value): value.isEmpty ? "an empty list" : "a list"
    case .mapping(let value): value.isEmpty ? "an empty mapping" : "a mapping"
    }
  }
}
