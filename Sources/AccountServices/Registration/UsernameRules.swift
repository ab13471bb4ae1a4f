import MatrixPrimitives

/// What the localpart of a new account may look like.
///
/// Source: the specification's grammar of user identifiers, and Synapse's additional rules: no leading underscore
/// (application services own that space), and names of digits alone belong to guests.
public enum UsernameRules {
  private static let allowed = Set("abcdefghijklmnopqrstuvwxyz0123456789_-./=+".utf8)

  /// Checks a localpart that somebody asks to register.
  ///
  /// - Parameter allowUnderscorePrefix: the setting `allow_underscore_prefixed_localpart`.
  /// - Throws: `MatrixError` 400 `M_INVALID_USERNAME` with the rule that is broken.
  public static func check(_ localpart: Text, serverName: Text, allowUnderscorePrefix: Bool) throws(MatrixError) {
    guard !localpart.isEmpty else { throw .invalidUsername("User ID cannot be empty") }
    guard localpart.utf8.allSatisfy(allowed.contains) else {
      throw .invalidUsername("User ID can only contain characters a-z, 0-9, or '=_-./+'")
    }
    if localpart.hasPrefix("_"), !allowUnderscorePrefix {
      throw .invalidUsername("User ID may not begin with _")
    }
    guard localpart.utf8.count + serverName.utf8.count + 2 <= 255 else {
      throw .invalidUsername("User ID may not be longer than 255 characters")
    }
    if localpart.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
      throw .invalidUsername("Numeric user IDs are reserved for guest users.")
    }
  }
}
