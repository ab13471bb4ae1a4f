import CScan

/// The conversion between the text of JSON scalars and Swift values.
enum JSONText {
  private static let hexDigits: StaticString = "0123456789abcdef"

  /// Returns the value of four hexadecimal digits, or nil if there are not four.
  static func hexUnit(_ base: UnsafePointer<UInt8>, at offset: Int, count: Int) -> UInt32? {
    guard offset + 4 <= count else { return nil }
    var unit: UInt32 = 0
    for i in 0..<4 {
      let byte = base[offset + i]
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: return nil
      }
      unit = unit << 4 | UInt32(digit)
    }
    return unit
  }

  /// Returns the integer a number's text stands for, or nil if it does not fit 64 bits.
  static func integer(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
    var value: Int64 = 0
    var digits = text[...]
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative { digits = digits.dropFirst() }
    guard !digits.isEmpty else { return nil }
    for byte in digits {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      guard !overflow else { return nil }
      let digit = Int64(byte - UInt8(ascii: "0"))
      // Counting downwards for negative numbers reaches Int64.min, which has no positive twin.
      let (sum, sumOverflow) =
        isNegative ? tens.subtractingReportingOverflow(digit) : tens.addingReportingOverflow(digit)
      guard !sumOverflow else { return nil }
      value = sum
    }
    return value
  }

  /// Returns the finite double nearest to a number's text, or nil.
  static func double(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
    guard let value = Double(Text(decoding: text, as: UTF8.self)), value.isFinite else { return nil }
    return value
  }

  /// Appends the bytes a string's inner text (without quotes) stands for. The text must have passed the parser.
  static func unescape(_ text: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]) {
    guard let base = text.baseAddress else { return }
    var i = 0
    while i < text.count {
      let stop = cscan_string_stop(base, i, text.count)
      output.append(contentsOf: UnsafeBufferPointer(start: base + i, count: stop - i))
      i = stop
      guard i + 1 < text.count else { return }
      let escape = base[i + 1]
      i += 2
      switch escape {
      case UInt8(ascii: "b"): output.append(0x08)
      case UInt8(ascii: "f"): output.append(0x0C)
      case UInt8(ascii: "n"): output.append(0x0A)
      case UInt8(ascii: "r"): output.append(0x0D)
      case UInt8(ascii: "t"): output.append(0x09)
      case UInt8(ascii: "u"): i = unescapeUnit(base, at: i, count: text.count, into: &output)
      default: output.append(escape)
      }
    }
  }

  private static func unescapeUnit(
    _ base: UnsafePointer<UInt8>, at offset: Int, count: Int, into output: inout [UInt8]
  ) -> Int {
    guard var code = hexUnit(base, at: offset, count: count) else { return count }
    var next = offset + 4
    if (0xD800...0xDBFF).contains(code), let low = hexUnit(base, at: next + 2, count: count), low >= 0xDC00 {
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
      next += 6
    }
    if let scalar = Unicode.Scalar(code) {
      output.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
    return next
  }

  /// Appends a quoted string with the shortest escapes, as canonical JSON wants them.
  static func appendQuoted(_ string: Text, to output: inout [UInt8]) {
    string.withBytes { appendQuoted($0, to: &output) }
  }

  /// Appends well-formed UTF-8 as a quoted string with the shortest escapes.
  static func appendQuoted(_ text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    if let base = text.baseAddress {
      var i = 0
      while i < text.count {
        let stop = cscan_string_stop(base, i, text.count)
        output.append(contentsOf: UnsafeBufferPointer(start: base + i, count: stop - i))
        guard stop < text.count else { break }
        appendEscape(of: base[stop], to: &output)
        i = stop + 1
      }
    }
    output.append(UInt8(ascii: "\""))
  }

  private static func appendEscape(of byte: UInt8, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): output.append(byte)
    case 0x08: output.append(UInt8(ascii: "b"))
    case 0x09: output.append(UInt8(ascii: "t"))
    case 0x0A: output.append(UInt8(ascii: "n"))
    case 0x0C: output.append(UInt8(ascii: "f"))
    case 0x0D: output.append(UInt8(ascii: "r"))
    default:
      output.append(contentsOf: "u00".utf8)
      output.append(hexDigits.utf8Start[Int(byte >> 4)])
      output.append(hexDigits.utf8Start[Int(byte & 15)])
    }
  }

  /// Appends a decimal integer.
  static func append(_ value: Int64, to output: inout [UInt8]) {
    if value < 0 { output.append(UInt8(ascii: "-")) }
    var rest = value.magnitude
    if rest < 10 {
      output.append(UInt8(ascii: "0") + UInt8(rest))
      return
    }
    let first = output.count
    while rest > 0 {
      let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
      output.append(UInt8(ascii: "0") + UInt8(remainder))
      rest = quotient
    }
    output[first...].reverse()
  }

  /// Appends the shortest text that reads back as the same double, laid out as Python prints floats: a fraction always, an exponent
  /// of at least two digits below 10^-4 and from 10^16 on. A value that is not finite becomes `null`.
  static func append(_ value: Double, to output: inout [UInt8]) {
    guard value.isFinite else {
      output.append(contentsOf: "null".utf8)
      return
    }
    let magnitude = value.magnitude
    let plain = value.description
    guard magnitude >= 1e16, magnitude < 0x1p54, !plain.utf8.contains(UInt8(ascii: "e")) else {
      output.append(contentsOf: plain.utf8)
      return
    }
    // Swift prints whole numbers up to 2^54 in full; Python has switched to an exponent by then.
    var digits = Array(magnitude.description.utf8.prefix { $0 != UInt8(ascii: ".") })
    while digits.count > 1, digits.last == UInt8(ascii: "0") { digits.removeLast() }
    if value < 0 { output.append(UInt8(ascii: "-")) }
    output.append(digits[0])
    if digits.count > 1 {
      output.append(UInt8(ascii: "."))
      output.append(contentsOf: digits.dropFirst())
    }
    output.append(contentsOf: "e+16".utf8)
  }
}
