/// The id of a user: `@localpart:server`.
public struct UserID: MatrixIdentifier {
  /// What error messages call it.
  public static let noun: Text = "user ID"

  /// The whole identifier, sigil included.
  public let rawValue: Text

  /// Accepts a user id: sigil, server name present, at most 255 bytes, no NUL.
  ///
  /// Historical localparts are accepted, as the specification wants for ids of other servers and old accounts.
  public init?(_ string: Text) {
    guard IdentifierSyntax.hasShape(string, sigil: UInt8(ascii: "@")),
      IdentifierSyntax.serverName(of: string) != nil
    else { return nil }
    rawValue = string
  }

  /// Wraps a string that is known to be valid, without checking it.
  public init(unchecked: Text) { rawValue = unchecked }

  /// Builds the id of a user on a server; neither part is checked.
  public init(localpart: Text, serverName: Text) { rawValue = "@\(localpart):\(serverName)" }

  /// The part before the server name, without the sigil.
  public var localpart: Text { IdentifierSyntax.localpart(of: rawValue) }

  /// The server the user belongs to.
  public var serverName: Text { IdentifierSyntax.serverName(of: rawValue) ?? "" }

  /// Whether the server name follows the grammar, as it must where an id is new: among the creators of a room, for instance.
  public var hasValidServerName: Bool { ServerName.isValid(serverName) }

  /// Whether the localpart follows the grammar for new users: `a`–`z`, digits and `._=-/+`, not empty.
  public var hasStrictLocalpart: Bool {
    let localpart = rawValue.utf8.dropFirst().prefix { $0 != UInt8(ascii: ":") }
    return !localpart.isEmpty
      && localpart.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
          UInt8(ascii: "_"), UInt8(ascii: "="), UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "+"):
          true
        default: false
        }
      }
  }
}
