extension Text {
  /// Returns whether the first bytes are another text's.
  public func hasPrefix(_ prefix: Text) -> Bool {
    withBytes { bytes in prefix.withBytes { Self.stands($0, in: bytes, at: 0) } }
  }

  /// Returns whether the last bytes are another text's.
  public func hasSuffix(_ suffix: Text) -> Bool {
    withBytes { bytes in suffix.withBytes { Self.stands($0, in: bytes, at: bytes.count - $0.count) } }
  }

  /// Returns whether a byte occurs anywhere.
  public func contains(_ byte: UInt8) -> Bool { utf8.contains(byte) }

  /// Returns whether the bytes of another text occur anywhere.
  public func contains(_ other: Text) -> Bool {
    withBytes { bytes in
      other.withBytes { wanted in
        guard wanted.count <= bytes.count else { return false }
        return (0...bytes.count - wanted.count).contains { Self.stands(wanted, in: bytes, at: $0) }
      }
    }
  }

  private static func stands(
    _ part: UnsafeBufferPointer<UInt8>, in bytes: UnsafeBufferPointer<UInt8>, at place: Int
  ) -> Bool {
    guard place >= 0, part.count <= bytes.count - place else { return false }
    return UnsafeBufferPointer(rebasing: bytes[place..<place + part.count]).elementsEqual(part)
  }

  /// Returns what follows a beginning; nil when the text begins otherwise.
  public func dropping(prefix: Text) -> Text? {
    guard hasPrefix(prefix) else { return nil }
    return dropFirst(prefix.utf8.count)
  }

  /// Returns what comes before an end; nil when the text ends otherwise.
  public func dropping(suffix: Text) -> Text? {
    guard hasSuffix(suffix) else { return nil }
    return dropLast(suffix.utf8.count)
  }

  /// Returns what stands before the first place of another text and what stands behind it; nil when it does not occur.
  public func cut(at separator: Text) -> (before: Text, after: Text)? {
    let place = withBytes { bytes in
      separator.withBytes { wanted in
        (0...max(0, bytes.count - wanted.count)).first { Self.stands(wanted, in: bytes, at: $0) }
      }
    }
    return place.map { (Text(utf8.prefix($0)), dropFirst($0 + separator.utf8.count)) }
  }

  /// Returns the pieces between the places of a byte.
  /// - Parameters:
  ///   - separator: an ASCII character.
  ///   - maxSplits: how many places count at most.
  ///   - omittingEmptySubsequences: whether pieces without bytes are left out.
  public func split(
    separator: UInt8, maxSplits: Int = .max, omittingEmptySubsequences: Bool = true
  ) -> [Text] {
    utf8.split(separator: separator, maxSplits: maxSplits, omittingEmptySubsequences: omittingEmptySubsequences).map {
      Text(Substring($0))
    }
  }

  /// Returns the text with another in each place of a byte.
  /// - Parameter byte: an ASCII character.
  public func replacing(_ byte: UInt8, with replacement: Text) -> Text {
    guard contains(byte) else { return self }
    return split(separator: byte, omittingEmptySubsequences: false).joined(separator: replacement)
  }

  /// The pieces between ASCII white space.
  public var words: [Text] { utf8.split(whereSeparator: Self.isSpace).map { Text($0) } }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  /// The lines, without those that are empty.
  public var lines: [Text] {
    utf8.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.map { Text(Substring($0)) }
  }

  /// Returns the text without a number of bytes at the beginning; half a character becomes U+FFFD.
  public func dropFirst(_ byteCount: Int = 1) -> Text { Text(utf8.dropFirst(byteCount)) }

  /// Returns the text without a number of bytes at the end; half a character becomes U+FFFD.
  public func dropLast(_ byteCount: Int = 1) -> Text { Text(utf8.dropLast(byteCount)) }

  /// Returns as many of the first code points as fit into a number of bytes.
  public func utf8Prefix(_ limit: Int) -> Text {
    guard limit < utf8.count else { return self }
    var start = Array(utf8.prefix(max(0, limit) + 1))
    // What begins behind the last byte that fits shows whether the character there is whole.
    while let last = start.popLast(), last & 0xC0 == 0x80 {}
    return Text(decoding: start, as: UTF8.self)
  }

  /// The text with `A`–`Z` as `a`–`z` and everything else as it is, so that no other character becomes an ASCII letter:
  /// Unicode's rule turns U+212A (Kelvin sign) into `k`.
  public var asciiLowercased: Text {
    guard utf8.contains(where: { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }) else { return self }
    return Text(
      decoding: utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
  }

  /// The text with `a`–`z` as `A`–`Z` and everything else as it is.
  public var asciiUppercased: Text {
    Text(decoding: utf8.map { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) ? $0 & 0xDF : $0 }, as: UTF8.self)
  }

  /// The text without ASCII white space at its ends.
  public var trimmed: Text {
    let start = utf8.drop(while: Self.isSpace)
    guard let last = start.lastIndex(where: { !Self.isSpace($0) }) else { return "" }
    return Text(start[...last])
  }
}
