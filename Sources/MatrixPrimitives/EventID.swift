/// The id of an event: `$opaque:server` in room versions 1 and 2, `$` and a hash from version 3 on.
public struct EventID: MatrixIdentifier {
  /// What error messages call it.
  public static let noun: Text = "event ID"

  /// The whole identifier, sigil included.
  public let rawValue: Text

  /// Accepts an event id: sigil, something behind it, at most 255 bytes, no NUL.
  public init?(_ string: Text) {
    guard IdentifierSyntax.hasShape(string, sigil: UInt8(ascii: "$")), string.utf8.count > 1 else { return nil }
    rawValue = string
  }

  /// Returns whether a parsed value is a string that ``init(_:)`` would accept, mostly without building it.
  public static func isValid(_ value: JSONValue) -> Bool {
    guard let text = value.unescapedBytes else { return value.string.flatMap { EventID($0) } != nil }
    // JSON has no NUL in strings but as an escape.
    return text.count > 1 && text.count <= IdentifierSyntax.maximumLength && text.first == UInt8(ascii: "$")
  }

  /// Wraps a string that is known to be valid, without checking it.
  public init(unchecked: Text) { rawValue = unchecked }

  /// The part between the sigil and the server name (or the end).
  public var localpart: Text { IdentifierSyntax.localpart(of: rawValue) }

  /// The server that made the id, in room versions 1 and 2.
  public var serverName: Text? { IdentifierSyntax.serverName(of: rawValue) }
}
