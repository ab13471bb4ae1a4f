import NIOCore

/// The lines of a response's head, and those between chunks, read without making strings of them.
enum ResponseLine {
  /// Reads `HTTP/1.1 200 OK`.
  static func status(_ line: ByteBufferView) throws(HTTPResponseReader.Malformed) -> Int {
    let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
    guard let version = parts.first, version.starts(with: Array("HTTP/1.".utf8)), let word = parts.dropFirst().first,
      word.count == 3, let status = integer(word, radix: 10), status >= 100
    else { throw HTTPResponseReader.Malformed(reason: "no status line") }
    return status
  }

  /// Reads the length of a chunk; what follows a semicolon is an extension.
  static func chunkSize(_ line: ByteBufferView) throws(HTTPResponseReader.Malformed) -> Int {
    let digits = trimmed(line.prefix { $0 != UInt8(ascii: ";") })
    guard let size = integer(digits, radix: 16) else {
      throw HTTPResponseReader.Malformed(reason: "no chunk length")
    }
    return size
  }

  /// Splits a field at its colon.
  static func field(_ line: ByteBufferView) -> (name: ByteBufferView, value: ByteBufferView)? {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    return (line[line.startIndex..<colon], trimmed(line[line.index(after: colon)...]))
  }

  /// Compares without regard to the case of ASCII letters.
  /// - Parameter lowercased: A word in small letters.
  static func equal(_ text: ByteBufferView, _ lowercased: StaticString) -> Bool {
    guard text.count == lowercased.utf8CodeUnitCount else { return false }
    return lowercased.withUTF8Buffer { word in
      zip(text, word).allSatisfy { byte, expected in
        byte == expected || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte | 0x20 == expected
      }
    }
  }

  /// Reads a number of digits only; nil when there are none or too many.
  static func integer(_ digits: ByteBufferView, radix: Int) -> Int? {
    guard !digits.isEmpty, digits.count <= 15 else { return nil }
    var value = 0
    for byte in digits {
      guard let digit = Character(UnicodeScalar(byte)).hexDigitValue, digit < radix else { return nil }
      value = value * radix + digit
    }
    return value
  }

  private static func trimmed(_ text: ByteBufferView) -> ByteBufferView {
    var text = text
    while let first = text.first, first == UInt8(ascii: " ") || first == UInt8(ascii: "\t") { text.removeFirst() }
    while let last = text.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { text.removeLast() }
    return text
  }
}
