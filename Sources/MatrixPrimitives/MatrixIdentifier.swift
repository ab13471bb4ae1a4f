#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// What user, room and event identifiers and room aliases have in common: they are strings compared byte by byte.
public protocol MatrixIdentifier: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The whole identifier, sigil included.
  var rawValue: Text { get }
  /// What such an identifier is called in error messages, such as `user ID`.
  static var noun: Text { get }
  /// Accepts a text of the right form.
  init?(_ string: Text)
  /// Wraps a string that is known to be valid, such as one read back from the database. Nothing that comes with a request gets here.
  init(unchecked: Text)
}

extension MatrixIdentifier {
  /// A text for logs.
  public var description: String { rawValue.string }

  /// Compares byte by byte.
  public static func == (a: Self, b: Self) -> Bool { a.rawValue == b.rawValue }

  /// Orders byte by byte.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

  /// Feeds the parts that equality compares.
  public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}

/// The syntax of identifiers of the form sigil, localpart, colon, server name.
enum IdentifierSyntax {
  /// The longest identifier the specification allows, in bytes.
  static let maximumLength = 255

  /// Returns whether a string has the sigil, a permitted length and no NUL.
  static func hasShape(_ string: Text, sigil: UInt8) -> Bool {
    let bytes = string.utf8
    return bytes.first == sigil && bytes.count <= maximumLength && offset(of: 0, in: string) == nil
  }

  /// Returns what follows the first colon, or nil if there is no colon or nothing behind it.
  static func serverName(of string: Text) -> Text? {
    guard let colon = offset(of: UInt8(ascii: ":"), in: string) else { return nil }
    let name = string.utf8.dropFirst(colon + 1)
    return name.isEmpty ? nil : Text(name)
  }

  /// Finds the first occurrence of a byte.
  private static func offset(of byte: UInt8, in string: Text) -> Int? {
    let found = string.utf8.withContiguousStorageIfAvailable { bytes -> Int? in
      guard let base = bytes.baseAddress, let place = memchr(base, Int32(byte), bytes.count) else { return nil }
      return UnsafeRawPointer(base).distance(to: place)
    }
    return found ?? Array(string.utf8).firstIndex(of: byte)
  }

  /// Returns the part between the sigil and the first colon (or the end).
  static func localpart(of string: Text) -> Text {
    Text(string.utf8.dropFirst().prefix { $0 != UInt8(ascii: ":") })
  }
}
