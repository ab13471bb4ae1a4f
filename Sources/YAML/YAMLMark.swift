import ByteText

/// A place in a YAML text, so that a message about a value can say where the value stands.
public struct YAMLMark: Sendable, Hashable, CustomStringConvertible {
  /// The file's name as the reader of the message knows it (a path, or any other label).
  public let file: Text
  /// The line, from 1.
  public let line: Int
  /// The character within the line, from 1.
  public let column: Int

  /// Makes a mark from its parts; `line` and `column` count from 1.
  public init(file: Text, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }

  /// The text `file:line:column`, which editors and terminals make clickable.
  public var description: String { "\(file):\(line):\(column)" }
}
