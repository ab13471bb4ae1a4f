extension String {
  /// The text with `A` to `Z` in lower case and every other byte as it is.
  ///
  /// Names that bytes tell apart are folded by this alone: Unicode's rule turns U+212A (Kelvin sign) into `k`.
  public var asciiLowercased: String {
    guard utf8.contains(where: { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }) else { return self }
    return String(
      decoding: utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
  }

  /// The beginning of the text, in whole code points of at most so many bytes together.
  public func utf8Prefix(_ limit: Int) -> String {
    guard utf8.count > limit else { return self }
    let bytes = utf8.prefix(max(0, limit))
    // A code point that the limit cuts goes as a whole: its first byte is not one of 10xxxxxx.
    guard let next = utf8.dropFirst(max(0, limit)).first, next & 0xC0 == 0x80 else {
      return String(decoding: bytes, as: UTF8.self)
    }
    let rest = bytes.reversed().drop { $0 & 0xC0 == 0x80 }.dropFirst()
    return String(decoding: rest.reversed(), as: UTF8.self)
  }
}
