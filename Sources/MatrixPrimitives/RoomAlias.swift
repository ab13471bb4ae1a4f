/// A room's name for humans: `#localpart:server`.
public struct RoomAlias: MatrixIdentifier {
  /// What error messages call it.
  public static let noun: Text = "room alias"

  /// The whole identifier, sigil included.
  public let rawValue: Text

  /// Accepts an alias: sigil, server name present, at most 255 bytes, no NUL.
  public init?(_ string: Text) {
    guard IdentifierSyntax.hasShape(string, sigil: UInt8(ascii: "#")),
      IdentifierSyntax.serverName(of: string) != nil
    else { return nil }
    rawValue = string
  }

  /// Wraps a string that is known to be valid, without checking it.
  public init(unchecked: Text) { rawValue = unchecked }

  /// Builds an alias on a server; neither part is checked.
  public init(localpart: Text, serverName: Text) { rawValue = "#\(localpart):\(serverName)" }

  /// The part before the server name, without the sigil.
  public var localpart: Text { IdentifierSyntax.localpart(of: rawValue) }

  /// The server that answers for the alias.
  public var serverName: Text { IdentifierSyntax.serverName(of: rawValue) ?? "" }
}
