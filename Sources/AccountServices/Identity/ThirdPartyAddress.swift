import MatrixPrimitives

/// The forms of addresses that identify people, and what clients send with them.
enum ThirdPartyAddress {
  /// The largest e-mail address, in characters.
  static let maximumEmailLength = 500

  /// Makes the letters of an e-mail address small, by Unicode's rule (Synapse stores them so).
  static func folded(_ address: Text) -> Text { Text(address.string.lowercased()) }

  /// Brings an e-mail address into the form in which it is stored: small letters by Unicode's rule.
  ///
  /// - Throws: `MatrixError` 400 for what is no address.
  static func email(_ address: Text) throws(MatrixError) -> Text {
    let address = folded(address.trimmed)
    let parts = address.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }),
      address.unicodeScalars.count <= maximumEmailLength,
      !address.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F })
    else { throw .invalidParam("Unable to parse email address") }
    return address
  }

  /// Brings an address of either kind into the form in which it is stored.
  static func canonical(_ medium: Text, _ address: Text) throws(MatrixError) -> Text {
    switch medium {
    case "email": return try email(address)
    case "msisdn":
      guard !address.isEmpty, address.utf8.count <= 64, !address.utf8.contains(0) else {
        throw .invalidParam("Unable to parse phone number")
      }
      return address
    default: throw .invalidParam("'\(medium)' is not a valid value for 'medium'")
    }
  }

  /// Checks the secret by which a client knows its proof of an address again.
  ///
  /// Source: `[0-9a-zA-Z.=_-]`, at most 255 characters.
  static func check(clientSecret: Text) throws(MatrixError) {
    guard !clientSecret.isEmpty, clientSecret.utf8.count <= 255,
      clientSecret.utf8.allSatisfy({ byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || ".=_-".utf8.contains(byte)
      })
    else { throw .invalidParam("Invalid client_secret parameter") }
  }

  /// Checks where the link of a mail is to lead on to.
  ///
  /// - Parameter hosts: the hosts that are allowed; nil for all.
  static func check(nextLink: Text, hosts: Set<Text>?) throws(MatrixError) {
    let scheme = nextLink.cut(at: ":")?.before.asciiLowercased
    let isAllowed =
      nextLink.utf8.count <= 4096 && nextLink.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
      && !["file", "javascript", "data"].contains(scheme) && (hosts.map { $0.contains(host(of: nextLink)) } ?? true)
    guard isAllowed else {
      throw .invalidParam("'next_link' domain not included in whitelist, or not http(s)")
    }
  }

  /// Takes the host out of a URL, without user and port.
  static func host(of url: Text) -> Text {
    // Right behind the scheme: browsers go to `evil` with `https:/evil//good` and `https:\\evil//good`.
    guard let rest = (url.cut(at: ":")?.after ?? url).dropping(prefix: "//") else { return "" }
    // Browsers take a backslash for a slash.
    let authority = Text(rest.utf8.prefix { !"/?#\\".utf8.contains($0) })
    let place = authority.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false).last ?? ""
    if place.hasPrefix("["), let (address, _) = place.dropFirst().cut(at: "]") { return address.asciiLowercased }
    return (place.cut(at: ":")?.before ?? place).asciiLowercased
  }
}
