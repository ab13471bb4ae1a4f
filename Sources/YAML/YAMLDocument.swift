import ByteText

/// The reading of YAML texts into node trees.
public enum YAMLDocument {
  /// The limit on the nesting of lists and mappings.
  public static let maximumDepth = 100
  /// The limit on the number of nodes of a document, counting every use of an alias in full.
  public static let maximumNodes = 250_000

  /// Reads the single document of a text.
  ///
  /// - Parameters:
  ///   - text: a YAML 1.1 text; an empty one gives a null node.
  ///   - file: the name that marks and errors carry.
  /// - Throws: `YAMLError` with line and column, for whatever PyYAML's safe loader refuses as well, and for documents
  ///   that go over
  ///   `maximumDepth` or `maximumNodes`.
  public static func parse(_ text: Text, file: Text) throws(YAMLError) -> YAMLNode {
    try parse(Array(text.utf8), file: file)
  }

  /// Reads the single document of a text given as bytes (UTF-8, or UTF-16 with a byte order mark).
  public static func parse(_ bytes: [UInt8], file: Text) throws(YAMLError) -> YAMLNode {
    var composer = try NodeComposer(bytes, file: file)
    return try composer.compose()
  }
}
