import ByteText

/// Tells why a text could not be read as YAML, and where.
public struct YAMLError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Tells apart the reasons for which a document is refused.
  public enum Code: Sendable, Hashable {
    /// The text breaks YAML's grammar or its character set.
    case syntax
    /// More than one document stands in the text.
    case severalDocuments
    /// An alias names no finished anchor: unknown, or the node that contains the alias.
    case unknownAlias
    /// A mapping key is itself a list or a mapping, or `<<` does not refer to a mapping.
    case badKey
    /// A tag asks for a type that plain data does not have (such as `!!python/object`).
    case unknownTag
    /// A tagged scalar's text is not of the tag's type (such as `!!int abc`).
    case badScalar
    /// Nesting or the number of nodes after expanding aliases goes over its bound.
    case tooLarge
    /// libyaml could not allocate memory.
    case outOfMemory
  }

  /// Says which of the reasons applies.
  public let code: Code
  /// Explains the problem in words, without the place.
  public let message: Text
  /// Points at the place of the problem.
  public let mark: YAMLMark

  /// Renders `file:line:column: message` in one line.
  public var description: String { "\(mark): \(message)" }
}
