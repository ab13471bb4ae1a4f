import ByteText

/// What is wrong with a template, or with the values that it was given.
public struct TemplateError: Error, CustomStringConvertible {
  /// The template's file name.
  public let template: Text
  /// The line, from 1; 0 when it is not known.
  public let line: Int
  /// What is wrong.
  public let problem: Text

  init(_ template: Text, line: Int = 0, _ problem: Text) {
    self.template = template
    self.line = line
    self.problem = problem
  }

  /// The place and the problem in one line.
  public var description: String {
    line > 0 ? "\(template):\(line): \(problem)" : "\(template): \(problem)"
  }
}

/// The bounds of templates, beyond which rendering fails.
enum TemplateBounds {
  /// The size of a source in bytes.
  static let source = 1 << 20
  /// The size of what is rendered in bytes.
  static let output = 4 << 20
  /// The number of nodes that one rendering executes.
  static let steps = 1_000_000
  /// The nesting of expressions and of statements as they are written.
  static let depth = 64
  /// The nesting of includes, macros and blocks; a thread's stack of 512 KB has room for them.
  static let calls = 12
  /// The nesting of statements as they are run, over all templates together.
  static let nesting = 32
}
