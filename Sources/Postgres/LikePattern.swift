import ByteText

/// Text in which `*` stands for any run of characters, written as a pattern for `LIKE`.
///
/// Works on bytes: before a combining mark `%` and `*` are the same characters as elsewhere, although Swift sees another `Character`.
public struct LikePattern: Sendable {
  /// The pattern, with `\` as the escape character, which is PostgreSQL's standard.
  public let text: Text

  /// Quotes what is special to `LIKE` and turns each `*` into its wildcard.
  public init(wildcards source: Text) {
    var bytes: [UInt8] = []
    for byte in source.utf8 {
      switch byte {
      case UInt8(ascii: "*"): bytes.append(UInt8(ascii: "%"))
      case UInt8(ascii: "%"), UInt8(ascii: "_"), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      default: bytes.append(byte)
      }
    }
    text = Text(decoding: bytes, as: UTF8.self)
  }
}
