import ByteText

/// Percent-encoding as Python's `urllib` writes it, so that links are those that Synapse makes.
public enum PercentEncoding {
  /// Encodes everything but letters, digits and `_.-~`.
  ///
  /// - Parameter keepingSlashes: whether `/` stays as it is.
  public static func encode(_ text: Text, keepingSlashes: Bool = false) -> Text {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      let letter = byte | 0x20
      let isPlain =
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || "_.-~".utf8.contains(byte) || (keepingSlashes && byte == UInt8(ascii: "/"))
      if isPlain { bytes.append(byte) } else { bytes += "%\(Text(hexadecimal: [byte]).asciiUppercased)".utf8 }
    }
    return Text(decoding: bytes, as: UTF8.self)
  }

  /// Encodes a value of a form: as ``encode(_:keepingSlashes:)``, with `+` for spaces.
  public static func encodeForm(_ text: Text) -> Text {
    text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map { encode($0) }.joined(separator: "+")
  }

  /// Encodes fields as the query of a link, in their order.
  public static func form(_ fields: KeyValuePairs<Text, Text>) -> Text {
    fields.map { "\(encodeForm($0.key))=\(encodeForm($0.value))" }.joined(separator: "&")
  }
}
