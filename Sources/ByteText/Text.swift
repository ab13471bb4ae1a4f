/// UTF-8 text that is compared, hashed and ordered by its bytes.
///
/// Swift's `String` takes canonically equivalent texts for equal (`"é"` and `"e\u{301}"`, `"K"` and U+212A); Matrix, JSON and PostgreSQL with
/// the collation `C` compare bytes. Whatever comes from outside or is compared with such a text is a `Text`. A `String` is for people: log lines,
/// and the interfaces of other libraries.
@frozen public struct Text: Sendable {
  @usableFromInline
  var storage: String

  /// The same text in Swift's own type, contiguous in memory.
  @inlinable
  public var string: String { storage }

  /// Wraps a string.
  @inlinable
  public init(_ string: String) {
    var string = string
    string.makeContiguousUTF8()
    self.init(contiguous: string)
  }

  @inlinable
  init(contiguous string: String) { storage = string }

  /// Makes an empty text.
  @inlinable
  public init() { storage = "" }

  /// Copies a part of a string.
  @inlinable
  public init(_ part: Substring) { self.init(contiguous: String(part)) }

  /// Copies a part of a string's bytes; half a character becomes U+FFFD.
  @inlinable
  public init(_ part: Substring.UTF8View) { self.init(contiguous: String(decoding: part, as: UTF8.self)) }

  /// Makes a text of bytes that are written in place.
  /// - Parameters:
  ///   - capacity: the room for bytes.
  ///   - initialize: writes UTF-8 from the beginning on, and returns how many bytes there are.
  @inlinable
  public init(
    unsafeUninitializedCapacity capacity: Int,
    initializingUTF8With initialize: (UnsafeMutableBufferPointer<UInt8>) throws -> Int
  ) rethrows {
    self.init(
      contiguous: try String(unsafeUninitializedCapacity: capacity, initializingUTF8With: initialize))
  }

  /// Makes a text of one character.
  public init(_ scalar: Unicode.Scalar) { self.init(contiguous: String(Character(scalar))) }

  /// Repeats a text.
  @inlinable
  public init(repeating text: Text, count: Int) {
    self.init(contiguous: String(repeating: text.string, count: max(0, count)))
  }

  /// Writes a number in decimal digits.
  @inlinable
  public init(_ number: some BinaryInteger) { self.init(contiguous: number.description) }

  /// Writes bytes as pairs of hexadecimal digits in lower case.
  @inlinable
  public init(hexadecimal bytes: some Sequence<UInt8>) {
    let digits = Array("0123456789abcdef".utf8)
    self.init(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// Writes a number as Swift does.
  public init(_ number: Double) { self.init(contiguous: String(number)) }

  /// Reads UTF-8 bytes; what is no UTF-8 becomes U+FFFD.
  @inlinable
  public init(decoding bytes: some Collection<UInt8>, as encoding: UTF8.Type) {
    self.init(contiguous: String(decoding: bytes, as: UTF8.self))
  }

  /// Reads UTF-8 bytes; nil when they are none.
  @inlinable
  public init?(validating bytes: some Sequence<UInt8>, as encoding: UTF8.Type) {
    guard let string = String(validating: bytes, as: UTF8.self) else { return nil }
    self.init(contiguous: string)
  }

  /// Describes a value as interpolation does.
  @inlinable
  public init<Value>(describing value: Value) { self.init(String(describing: value)) }
}

// MARK: - Bytes

extension Text {
  /// Calls a function with the bytes in memory.
  @inlinable
  public func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
    if let result = try string.utf8.withContiguousStorageIfAvailable(body) { return result }
    var copy = string
    return try copy.withUTF8(body)
  }

  /// The bytes.
  @inlinable
  public var utf8: String.UTF8View { string.utf8 }

  /// The code points. Their number is what limits "in characters" of the specification count.
  @inlinable
  public var unicodeScalars: String.UnicodeScalarView { string.unicodeScalars }

  /// Whether there is no byte.
  @inlinable
  public var isEmpty: Bool { string.isEmpty }

  /// The bytes of a text that Swift keeps in the string's own two words, which it does with up to 15 bytes: as two numbers whose bytes are the
  /// text's, one behind the other, zeros, and the length. Nil for every other text.
  ///
  /// This leans on how strings lie in memory: the last byte has three bits of flags, of which one (0x20) says so, and the length in the other four.
  /// `TextTests` compares such texts with equal ones that lie elsewhere.
  @inlinable
  var short: (UInt64, UInt64)? {
    #if (arch(x86_64) || arch(arm64)) && os(Linux)
      let words = unsafeBitCast(storage, to: (UInt64, UInt64).self)
      return words.1 & 0x2000_0000_0000_0000 == 0 ? nil : (words.0, words.1 & 0x0FFF_FFFF_FFFF_FFFF)
    #else
      return nil
    #endif
  }
}

extension Text: Hashable, Comparable {
  /// Returns whether both have the same bytes.
  @inlinable
  public static func == (a: Text, b: Text) -> Bool {
    if let first = a.short, let second = b.short { return first == second }
    return a.utf8.count == b.utf8.count && ByteOrder.compare(a, b) == 0
  }

  /// Returns whether the bytes of the first come before those of the second: the order of code points, as in canonical
  /// JSON.
  @inlinable
  public static func < (a: Text, b: Text) -> Bool {
    guard let first = a.short, let second = b.short else { return ByteOrder.compare(a, b) < 0 }
    return first.0 == second.0
      ? first.1.byteSwapped < second.1.byteSwapped : first.0.byteSwapped < second.0.byteSwapped
  }

  /// Feeds the bytes and their number, or an end mark.
  @inlinable
  public func hash(into hasher: inout Hasher) {
    if let short {
      hasher.combine(short.0)
      hasher.combine(short.1)
    } else {
      hashLong(into: &hasher)
    }
  }

  @usableFromInline
  func hashLong(into hasher: inout Hasher) {
    withBytes { bytes in
      guard bytes.count <= 15 else {
        hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        return hasher.combine(0xFF as UInt8)
      }
      // As few bytes as could be a short text, which has to have the same hash.
      var words: (UInt64, UInt64) = (0, UInt64(bytes.count) << 56)
      for (place, byte) in bytes.enumerated() {
        if place < 8 { words.0 |= UInt64(byte) << (8 * place) } else { words.1 |= UInt64(byte) << (8 * (place - 8)) }
      }
      hasher.combine(words.0)
      hasher.combine(words.1)
    }
  }
}

// MARK: - Literals and descriptions

extension Text: ExpressibleByStringInterpolation {
  /// Makes the text of a literal.
  @inlinable
  public init(stringLiteral value: String) { self.init(contiguous: value) }

  /// Makes the text of a literal with interpolations.
  @inlinable
  public init(stringInterpolation: DefaultStringInterpolation) {
    self.init(String(stringInterpolation: stringInterpolation))
  }
}

extension Text: CustomStringConvertible, CustomDebugStringConvertible, LosslessStringConvertible {
  /// The text itself.
  @inlinable
  public var description: String { string }
  /// The text in quotes.
  public var debugDescription: String { string.debugDescription }
}

extension Text: Codable {
  /// Reads a string.
  public init(from decoder: any Decoder) throws { self.init(try decoder.singleValueContainer().decode(String.self)) }

  /// Writes a string.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(string)
  }
}

extension DefaultStringInterpolation {
  /// Appends a text.
  @inlinable
  public mutating func appendInterpolation(_ text: Text) { appendInterpolation(text.string) }
}

// MARK: - Building

extension Text {
  /// Appends another text.
  @inlinable
  public mutating func append(_ other: Text) { storage.append(other.storage) }

  /// Makes room for a number of bytes.
  public mutating func reserveCapacity(_ count: Int) { storage.reserveCapacity(count) }

  /// Returns both texts, one behind the other.
  @inlinable
  public static func + (a: Text, b: Text) -> Text { Text(contiguous: a.string + b.string) }

  /// Appends another text.
  public static func += (a: inout Text, b: Text) { a.append(b) }
}

extension Sequence<Text> {
  /// Returns the texts one behind the other with a separator between them.
  @inlinable
  public func joined(separator: Text = "") -> Text {
    var result = Text()
    var isFirst = true
    for text in self {
      if !isFirst { result.append(separator) }
      isFirst = false
      result.append(text)
    }
    return result
  }
}

// MARK: - Numbers and C

extension Text {
  /// Copies what a C string holds up to its NUL; what is no UTF-8 becomes U+FFFD.
  public init(cString: UnsafePointer<CChar>) { self.init(contiguous: String(cString: cString)) }

  /// Copies what a C string holds up to its NUL; what is no UTF-8 becomes U+FFFD.
  public init(cString: UnsafePointer<UInt8>) { self.init(contiguous: String(cString: cString)) }
}

extension FixedWidthInteger {
  /// Reads a number in ASCII digits, with or without a sign.
  @inlinable
  public init?(_ text: Text, radix: Int = 10) {
    self.init(text.string, radix: radix)
  }
}

extension Double {
  /// Reads a number as Swift writes it.
  @inlinable
  public init?(_ text: Text) { self.init(text.string) }
}
