import ByteText

/// The value of a plain scalar by the YAML 1.1 rules that PyYAML applies.
///
/// Facts from https://yaml.org/type/ and from PyYAML's behaviour where it is narrower: a float needs a point, an
/// exponent needs a sign, `0o17` is text, `017` is fifteen, `1:30` is ninety (base 60), `y` and `n` are text.
enum ScalarResolver {
  static func resolve(_ text: Text) -> YAMLNode.Content {
    null(text) ?? bool(text) ?? integer(text) ?? double(text) ?? .string(text)
  }

  static func null(_ text: Text) -> YAMLNode.Content? {
    switch text {
    case "", "~", "null", "Null", "NULL": .null
    default: nil
    }
  }

  static func bool(_ text: Text) -> YAMLNode.Content? {
    switch text {
    case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": .bool(true)
    case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": .bool(false)
    default: nil
    }
  }

  static func integer(_ text: Text) -> YAMLNode.Content? {
    let (negative, digits) = splitSign(text)
    guard let first = digits.first, isDigit(first) else { return nil }
    let rest = digits.dropFirst()
    if first == UInt8(ascii: "0") {
      guard let marker = rest.first else { return .integer(0) }
      if marker == UInt8(ascii: "b") { return number(rest.dropFirst(), radix: 2, negative: negative) }
      if marker == UInt8(ascii: "x") { return number(rest.dropFirst(), radix: 16, negative: negative) }
      return number(rest, radix: 8, negative: negative)
    }
    if digits.contains(UInt8(ascii: ":")) { return base60(digits, negative: negative) }
    return number(digits, radix: 10, negative: negative)
  }

  static func double(_ text: Text) -> YAMLNode.Content? {
    let (negative, digits) = splitSign(text)
    switch Text(decoding: digits, as: UTF8.self) {
    case ".inf", ".Inf", ".INF": return .double(negative ? -.infinity : .infinity)
    case ".nan", ".NaN", ".NAN": return digits.count == text.utf8.count ? .double(.nan) : nil
    default: break
    }
    guard let point = digits.firstIndex(of: UInt8(ascii: ".")) else { return nil }
    let whole = digits[..<point]
    var fraction = digits[digits.index(after: point)...]
    var exponent: ArraySlice<UInt8> = []
    if let mark = fraction.firstIndex(where: { $0 | 0x20 == UInt8(ascii: "e") }) {
      exponent = fraction[fraction.index(after: mark)...]
      fraction = fraction[..<mark]
      guard let sign = exponent.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
      guard exponent.count > 1, exponent.dropFirst().allSatisfy(isDigit) else { return nil }
    }
    guard fraction.allSatisfy(isDigitOrUnderscore) else { return nil }
    if whole.isEmpty {
      guard let first = fraction.first, isDigit(first), digits.count == text.utf8.count else { return nil }
    } else if whole.contains(UInt8(ascii: ":")) {
      return exponent.isEmpty ? base60(whole, fraction: fraction, negative: negative) : nil
    } else {
      guard let first = whole.first, isDigit(first), whole.allSatisfy(isDigitOrUnderscore) else { return nil }
    }
    var plain = (whole + [UInt8(ascii: ".")] + fraction).filter { $0 != UInt8(ascii: "_") }
    if plain.first == UInt8(ascii: ".") { plain.insert(UInt8(ascii: "0"), at: 0) }
    if plain.last == UInt8(ascii: ".") { plain.append(UInt8(ascii: "0")) }
    if !exponent.isEmpty { plain += [UInt8(ascii: "e")] + exponent }
    guard let value = Double(Text(decoding: plain, as: UTF8.self)) else { return nil }
    return .double(negative ? -value : value)
  }

  private static func splitSign(_ text: Text) -> (negative: Bool, digits: ArraySlice<UInt8>) {
    let bytes = Array(text.utf8)
    switch bytes.first {
    case UInt8(ascii: "-"): return (true, bytes.dropFirst())
    case UInt8(ascii: "+"): return (false, bytes.dropFirst())
    default: return (false, bytes[...])
    }
  }

  private static func number(_ digits: ArraySlice<UInt8>, radix: Int64, negative: Bool) -> YAMLNode.Content? {
    guard !digits.isEmpty else { return nil }
    var exact: Int64? = 0
    var approximate = 0.0
    var found = radix == 8
    for byte in digits where byte != UInt8(ascii: "_") {
      guard let digit = digitValue(byte), digit < radix else { return nil }
      found = true
      approximate = approximate * Double(radix) + Double(digit)
      exact = exact.flatMap { accumulate($0, radix: radix, digit: negative ? -digit : digit) }
    }
    guard found else { return nil }
    // Python's integers have no bound. Nothing in a configuration needs more than 64 bits, but an unquoted
    // password of twenty digits must not stop the file from loading: its text is kept beside the value.
    if let exact { return .integer(exact) }
    let plain = digits.filter { $0 != UInt8(ascii: "_") }
    let nearest = radix == 10 ? Double(Text(decoding: plain, as: UTF8.self)) ?? approximate : approximate
    return .double(negative ? -nearest : nearest)
  }

  private static func base60(_ digits: ArraySlice<UInt8>, negative: Bool) -> YAMLNode.Content? {
    let parts = digits.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard let leading = parts.first, leading.allSatisfy(isDigitOrUnderscore) else { return nil }
    var total: Int64 = 0
    for byte in leading where byte != UInt8(ascii: "_") {
      guard let next = accumulate(total, radix: 10, digit: Int64(byte) - 48) else { return nil }
      total = next
    }
    for part in parts.dropFirst() {
      guard (1...2).contains(part.count), part.allSatisfy(isDigit) else { return nil }
      let value = part.reduce(0) { $0 * 10 + Int64($1) - 48 }
      guard value < 60, let next = accumulate(total, radix: 60, digit: value) else { return nil }
      total = next
    }
    return .integer(negative ? -total : total)
  }

  private static func base60(
    _ whole: ArraySlice<UInt8>, fraction: ArraySlice<UInt8>, negative: Bool
  ) -> YAMLNode.Content? {
    guard let first = whole.first, isDigit(first), case .integer(let seconds)? = base60(whole, negative: false) else {
      return nil
    }
    let digits = "0." + Text(decoding: fraction.filter { $0 != UInt8(ascii: "_") }, as: UTF8.self) + "0"
    let value = Double(seconds) + (Double(digits) ?? 0)
    return .double(negative ? -value : value)
  }

  private static func accumulate(_ value: Int64, radix: Int64, digit: Int64) -> Int64? {
    let (product, overflow) = value.multipliedReportingOverflow(by: radix)
    let (sum, overflow2) = product.addingReportingOverflow(digit)
    return overflow || overflow2 ? nil : sum
  }

  private static func digitValue(_ byte: UInt8) -> Int64? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int64(byte) - 48
    case UInt8(ascii: "a")...UInt8(ascii: "f"): Int64(byte) - 87
    case UInt8(ascii: "A")...UInt8(ascii: "F"): Int64(byte) - 55
    default: nil
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private static func isDigitOrUnderscore(_ byte: UInt8) -> Bool { isDigit(byte) || byte == UInt8(ascii: "_") }
}
