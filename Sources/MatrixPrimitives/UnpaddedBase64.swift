/// Base64 without padding, as Matrix writes hashes, keys and signatures.
public enum UnpaddedBase64 {
  private static let standard: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  private static let urlSafe: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

  /// Encodes with the standard alphabet, without padding.
  public static func encode(_ bytes: some Collection<UInt8>) -> Text {
    encode(bytes, alphabet: standard)
  }

  /// Encodes with the URL-safe alphabet, without padding.
  public static func encodeURLSafe(_ bytes: some Collection<UInt8>) -> Text {
    encode(bytes, alphabet: urlSafe)
  }

  private static func encode(_ bytes: some Collection<UInt8>, alphabet: StaticString) -> Text {
    let digits = alphabet.utf8Start
    return Text(unsafeUninitializedCapacity: (bytes.count * 4 + 2) / 3) { output in
      var count = 0
      var bits: UInt32 = 0
      var bitCount = 0
      for byte in bytes {
        bits = (bits << 8 | UInt32(byte)) & 0xFFFF
        bitCount += 8
        while bitCount >= 6 {
          bitCount -= 6
          output[count] = digits[Int(bits >> UInt32(bitCount) & 63)]
          count += 1
        }
      }
      if bitCount > 0 {
        output[count] = digits[Int(bits << UInt32(6 - bitCount) & 63)]
        count += 1
      }
      return count
    }
  }

  /// Decodes either alphabet, with or without padding; nil for anything else.
  ///
  /// Bits that do not fill a byte are dropped whatever they are, as other implementations do.
  public static func decode(_ text: Text) -> [UInt8]? {
    var output: [UInt8] = []
    output.reserveCapacity(text.utf8.count * 3 / 4)
    var bits: UInt32 = 0
    var bitCount = 0
    var digitCount = 0
    var paddingCount = 0
    for byte in text.utf8 {
      if byte == UInt8(ascii: "=") {
        paddingCount += 1
        continue
      }
      guard paddingCount == 0, let digit = value(of: byte) else { return nil }
      digitCount += 1
      bits = (bits << 6 | digit) & 0xFFFF
      bitCount += 6
      if bitCount >= 8 {
        bitCount -= 8
        output.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
      }
    }
    guard digitCount % 4 != 1, paddingCount == 0 || (digitCount + paddingCount) % 4 == 0, paddingCount <= 2 else {
      return nil
    }
    return output
  }

  private static func value(of byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
    default: nil
    }
  }
}
