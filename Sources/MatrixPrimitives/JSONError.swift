/// The reason why bytes are not acceptable JSON, or why a value has no canonical form.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The kinds of failure.
  public enum Code: Text, Hashable, Sendable {
    /// The text breaks the grammar of RFC 8259.
    case notJSON
    /// The bytes are not well-formed UTF-8.
    case notUTF8
    /// The nesting of containers is deeper than the caller allows.
    case tooDeep
    /// The text is longer than 2^31 − 1 bytes.
    case tooLarge
    /// A string holds half of a surrogate pair.
    case loneSurrogate
    /// A number is too large for a double, or outside of what canonical JSON allows.
    case numberOutOfRange
    /// Canonical JSON was asked for and the value holds a number that is no integer.
    case notAnInteger
    /// Canonical JSON was asked for and an object names a key twice.
    case duplicateKey
  }

  /// What went wrong.
  public let code: Code
  /// The byte offset in the source at which it was noticed (0 if the value has no source).
  public let offset: Int

  /// Creates an error found at a byte offset.
  public init(_ code: Code, offset: Int = 0) {
    self.code = code
    self.offset = offset
  }

  /// A text for logs.
  public var description: String { "\(code.rawValue) at byte \(offset)" }
}
