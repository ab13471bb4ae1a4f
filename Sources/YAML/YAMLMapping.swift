import ByteText

/// The entries of a mapping in the order of writing, with look-up by text key.
///
/// A key that is written twice keeps its first place and its last value, as in a Python dictionary.
public struct YAMLMapping: Sendable, RandomAccessCollection {
  /// A key with its value.
  public typealias Element = (key: YAMLNode, value: YAMLNode)

  private var entries: [Element] = []
  private var positions: [ScalarKey: Int] = [:]

  /// Makes an empty mapping.
  public init() {}

  /// The position of the first entry.
  public var startIndex: Int { 0 }
  /// The position after the last entry.
  public var endIndex: Int { entries.count }
  /// Returns the entry at a position.
  public subscript(position: Int) -> Element { entries[position] }

  /// Looks a text key up; keys of other types (`12:`, `yes:`) are not found by their text.
  public subscript(_ key: Text) -> YAMLNode? {
    positions[.string(key)].map { entries[$0].value }
  }

  /// Returns the node of a text key, for its place.
  public func key(_ key: Text) -> YAMLNode? {
    positions[.string(key)].map { entries[$0].key }
  }

  /// Sets a value; the last one wins.
  ///
  /// - Returns: false, without a change, when the key is a list or a mapping.
  @discardableResult
  public mutating func set(_ key: YAMLNode, _ value: YAMLNode) -> Bool {
    guard let identity = ScalarKey(key) else { return false }
    if let position = positions[identity] {
      entries[position] = (key, value)
    } else {
      positions[identity] = entries.count
      entries.append((key, value))
    }
    return true
  }
}

/// A key by type and value, so that `"1"` and `1` are two keys.
private enum ScalarKey: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case double(Double)
  case string(Text)

  init?(_ node: YAMLNode) {
    switch node.content {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .double(let value): self = .double(value)
    case .string(let value): self = .string(value)
    case .sequence, .mapping: return nil
    }
  }
}
