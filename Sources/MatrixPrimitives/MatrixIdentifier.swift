/// Describes what user, room and event identifiers and room aliases have in common: they are strings compared byte by byte.
public protocol MatrixIdentifier: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// Gives the whole identifier, sigil included.
  var rawValue: String { get }
  /// Wraps a string that is known to be valid, such as one read back from the database.
  init(unchecked: String)
}

extension MatrixIdentifier {
  /// Gives a text for logs.
  public var description: String { rawValue }

  /// Compares byte by byte.
  public static func == (a: Self, b: Self) -> Bool { ByteOrder.areEqual(a.rawValue, b.rawValue) }

  /// Orders byte by byte.
  public static func < (a: Self, b: Self) -> Bool { ByteOrder.precedes(a.rawValue, b.rawValue) }

  /// Feeds the parts that equality compares.
  public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}

/// Checks and splits identifiers of the form sigil, localpart, colon, server name.
enum IdentifierSyntax {
  /// The longest identifier the specification allows, in bytes.
  static let maximumLength = 255

  /// Tells whether a string has the sigil, a permitted length and no NUL.
  static func hasShape(_ string: String, sigil: UInt8) -> Bool {
    let bytes = string.utf8
    return bytes.first == sigil && bytes.count <= maximumLength && !bytes.contains(0)
  }

  /// Returns what follows the first colon, or nil if there is no colon or nothing behind it.
  static func serverName(of string: String) -> Substring? {
    guard let colon = string.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    let name = string[string.utf8.index(after: colon)...]
    return name.isEmpty ? nil : name
  }

  /// Returns what stands between the sigil and the first colon (or the end).
  static func localpart(of string: String) -> String {
    String(string.utf8.dropFirst().prefix { $0 != UInt8(ascii: ":") }) ?? ""
  }
}
