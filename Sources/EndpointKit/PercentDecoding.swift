import ByteText

/// The decoding of percent-encoded text in paths and queries.
enum PercentDecoding {
  /// Decodes a path segment.
  ///
  /// - Returns: nil when a percent sign is not followed by two hexadecimal digits or the bytes are not UTF-8.
  static func decodePath(_ segment: Substring) -> Text? {
    let utf8 = segment.utf8
    guard utf8.contains(percent) else { return Text(segment) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(utf8.count)
    var iterator = utf8.makeIterator()
    while let byte = iterator.next() {
      guard byte == percent else {
        bytes.append(byte)
        continue
      }
      guard let high = iterator.next().flatMap(hexadecimal), let low = iterator.next().flatMap(hexadecimal) else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    return Text(validating: bytes, as: UTF8.self)
  }

  /// Decodes a name or value of a query: `+` is a space and a stray percent sign stands for itself (as on Synapse).
  ///
  /// - Returns: nil when the bytes are not UTF-8.
  static func decodeForm(_ text: Substring) -> Text? {
    let utf8 = text.utf8
    guard utf8.contains(where: { $0 == percent || $0 == plus }) else { return Text(text) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(utf8.count)
    var index = utf8.startIndex
    while index < utf8.endIndex {
      let byte = utf8[index]
      index = utf8.index(after: index)
      if byte == percent, let pair = hexadecimalPair(utf8[index...]) {
        bytes.append(pair)
        index = utf8.index(index, offsetBy: 2)
      } else {
        bytes.append(byte == plus ? space : byte)
      }
    }
    return Text(validating: bytes, as: UTF8.self)
  }

  private static let percent = UInt8(ascii: "%")
  private static let plus = UInt8(ascii: "+")
  private static let space = UInt8(ascii: " ")

  private static func hexadecimalPair(_ bytes: Substring.UTF8View) -> UInt8? {
    var iterator = bytes.makeIterator()
    guard let high = iterator.next().flatMap(hexadecimal), let low = iterator.next().flatMap(hexadecimal) else {
      return nil
    }
    return high << 4 | low
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
