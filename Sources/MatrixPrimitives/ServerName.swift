/// A server name: a DNS name, IPv4 address or bracketed IPv6 address, with an optional port.
public struct ServerName: Hashable, Sendable {
  /// The host, brackets of an IPv6 address included.
  public let host: Text
  /// The port, 1 to 65535, if one is written.
  public let port: Int?

  /// Splits a server name by the grammar of the specification's appendix; nil if it does not follow it.
  public init?(_ string: Text) {
    let bytes = string.utf8
    guard !bytes.isEmpty, bytes.count <= 255 else { return nil }
    let host: Substring.UTF8View
    let rest: Substring.UTF8View
    if bytes.first == UInt8(ascii: "[") {
      guard let bracket = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      let inner = bytes[bytes.index(after: bytes.startIndex)..<bracket]
      guard (2...45).contains(inner.count), inner.allSatisfy(Self.isIPv6Character) else { return nil }
      host = bytes[...bracket]
      rest = bytes[bytes.index(after: bracket)...]
    } else {
      host = bytes.prefix { $0 != UInt8(ascii: ":") }
      rest = bytes[host.endIndex...]
      guard !host.isEmpty, host.allSatisfy(Self.isHostCharacter) else { return nil }
    }
    self.host = Text(host)
    if rest.isEmpty {
      port = nil
      return
    }
    let digits = rest.dropFirst()
    guard rest.first == UInt8(ascii: ":"), (1...5).contains(digits.count),
      digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let number = Int(Text(digits)), (1...65535).contains(number)
    else { return nil }
    port = number
  }

  /// Returns whether a string is a server name.
  public static func isValid(_ string: Text) -> Bool { ServerName(string) != nil }

  /// Whether the host is written as an address instead of a name.
  public var isIPLiteral: Bool {
    if host.utf8.first == UInt8(ascii: "[") { return true }
    let parts = host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        (1...3).contains(part.count) && UInt8(Text(part)) != nil
      }
  }

  private static func isHostCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  private static func isIPv6Character(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}
