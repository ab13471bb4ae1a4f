import ByteText
import FoundationEssentials
import Glibc

/// Python's `%`: texts with places for values.
enum TemplateFormat {
  /// Fills the places of a format, such as `%s`, `%d`, `%.1f`, `%5d`.
  static func apply(_ format: Text, _ values: [TemplateValue], in template: Text) throws(TemplateError) -> Text {
    var bytes: [UInt8] = []
    var left = values[...]
    let source = Array(format.utf8)
    var at = 0
    while at < source.count {
      guard source[at] == UInt8(ascii: "%") else {
        bytes.append(source[at])
        at += 1
        continue
      }
      at += 1
      var flags: [UInt8] = []
      while at < source.count, "-+ 0123456789.".utf8.contains(source[at]) {
        flags.append(source[at])
        at += 1
      }
      guard at < source.count else { throw TemplateError(template, "a format ends early") }
      let kind = source[at]
      at += 1
      if kind == UInt8(ascii: "%") {
        bytes.append(kind)
        continue
      }
      guard let value = left.popFirst() else { throw TemplateError(template, "a format has too few values") }
      bytes += try place(kind, flags, value, in: template).utf8
    }
    return Text(decoding: bytes, as: UTF8.self)
  }

  private static func place(_ kind: UInt8, _ flags: [UInt8], _ value: TemplateValue, in template: Text)
    throws(TemplateError) -> Text
  {
    let parts = Text(decoding: flags, as: UTF8.self).split(
      separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    let precision = parts.count > 1 ? min(Int(parts[1]) ?? 0, 30) : nil
    var text: Text
    switch kind {
    case UInt8(ascii: "s"):
      text = value.shown
      if let precision { text = text.unicodeScalars.prefix(precision).map { Text($0) }.joined() }
    case UInt8(ascii: "d"), UInt8(ascii: "i"):
      guard let number = value.integerValue ?? value.number.flatMap({ Int64(exactly: $0.rounded(.towardZero)) }) else {
        throw TemplateError(template, "a format wants a number")
      }
      text = Text(number)
    case UInt8(ascii: "f"):
      guard let number = value.number else { throw TemplateError(template, "a format wants a number") }
      text = fixed(number, precision ?? 6)
    default: throw TemplateError(template, "a format has an unknown place")
    }
    return padded(text, parts.first ?? "")
  }

  /// Writes a number with a count of digits behind the point.
  static func fixed(_ number: Double, _ digits: Int) -> Text {
    var buffer = [CChar](repeating: 0, count: 400)
    let written = withVaList([Int32(digits), number]) { vsnprintf(&buffer, buffer.count, "%.*f" as String, $0) }
    return Text(decoding: buffer.prefix(Int(max(0, min(written, 399)))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func padded(_ text: Text, _ flags: Text) -> Text {
    let isLeft = flags.hasPrefix("-")
    let fillsZero = flags.hasPrefix("0")
    let width = min(Int(Text(flags.utf8.drop { !(UInt8(ascii: "1")...UInt8(ascii: "9")).contains($0) })) ?? 0, 200)
    let missing = width - text.unicodeScalars.count
    guard missing > 0 else { return text }
    let filling = Text(repeating: fillsZero && !isLeft ? "0" : " ", count: missing)
    return isLeft ? text + filling : filling + text
  }

  /// Formats a moment in the server's local time.
  ///
  /// - Parameters:
  ///   - milliseconds: since 1970.
  ///   - format: as `strftime` takes it.
  static func moment(_ milliseconds: Int64, _ format: Text) -> Text {
    var seconds = time_t(milliseconds / 1000)
    var parts = tm()
    guard localtime_r(&seconds, &parts) != nil else { return "" }
    var buffer = [CChar](repeating: 0, count: 512)
    let written = strftime(&buffer, buffer.count, format.string, &parts)
    return Text(decoding: buffer.prefix(written).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
