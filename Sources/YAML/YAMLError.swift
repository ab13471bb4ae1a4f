import ByteText

/// The reason why a text could not be read as YAML, and the place.
public struct YAMLError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The reasons for which a document is refused.
  public enum Code: Sendable, Hashable {
    /// The text breaks YAML's grammar or its character set.
    case syntax
    /// The text has more than one document.
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

  /// The reason that applies.
  public let code: Code
  /// The problem in words, without the place.
  public let message: Text
  /// The place of the problem.
  public let mark: YAMLMark

  /// The line `file:line:column: message`.
  public var description: String { "\(mark): \(message)" }
}
