import ByteText
import YAML

/// The reason why the configuration cannot be used, as one line that points at the place.
public struct ConfigError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The place of the offending value; nil when the problem has no single place (a missing key, a file that cannot be
  /// read).
  public let mark: YAMLMark?
  /// The key with dots and brackets, as in `listeners[0].port`; empty when no key is concerned.
  public let key: Text
  /// The problem, without place and key.
  public let problem: Text

  /// Makes an error with a free explanation.
  public init(_ key: Text, at mark: YAMLMark? = nil, _ problem: Text) {
    self.key = key
    self.mark = mark
    self.problem = problem
  }

  /// Makes an error of the form "found X, expected Y".
  public init(_ key: Text, at mark: YAMLMark? = nil, found: Text, expected: Text) {
    self.init(key, at: mark, "found \(found), expected \(expected)")
  }

  init(_ error: YAMLError) {
    self.init("", at: error.mark, error.message)
  }

  /// The line `file:line:column: key: problem`, without the parts that are unknown.
  public var description: String {
    let parts = [mark.map { Text(describing: $0) } ?? "", key, problem].filter { !$0.isEmpty }
    return parts.joined(separator: ": ").lines.joined(separator: " ").string
  }
}
