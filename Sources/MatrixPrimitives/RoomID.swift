/// The id of a room: `!opaque:server`, or `!` and the create event's hash from room version 12 on.
public struct RoomID: MatrixIdentifier {
  /// What error messages call it.
  public static let noun: Text = "room ID"

  /// The whole identifier, sigil included.
  public let rawValue: Text

  /// Accepts a room id: sigil, something behind it, at most 255 bytes, no NUL.
  public init?(_ string: Text) {
    guard IdentifierSyntax.hasShape(string, sigil: UInt8(ascii: "!")), string.utf8.count > 1 else { return nil }
    rawValue = string
  }

  /// Wraps a string that is known to be valid, without checking it.
  public init(unchecked: Text) { rawValue = unchecked }

  /// The part between the sigil and the server name (or the end).
  public var localpart: Text { IdentifierSyntax.localpart(of: rawValue) }

  /// The server that made the id; nil for ids that are hashes. It says nothing about who is in the room.
  public var serverName: Text? { IdentifierSyntax.serverName(of: rawValue) }
}
