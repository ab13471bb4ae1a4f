import ByteText

/// A word or sign within a tag of a template.
enum TemplateToken: Sendable {
  case name(Text)
  case string(Text)
  case integer(Int64)
  case double(Double)
  case sign(Text)
}

/// The division of a source into texts and tags.
struct TemplateLexer {
  /// A text, or what stands in a tag.
  enum Segment {
    case text(Text)
    case output([TemplateToken], line: Int)
    case statement([TemplateToken], line: Int)
  }

  private let name: Text
  private let source: [UInt8]
  private var at = 0
  private var line = 1
  private var segments: [Segment] = []
  private var stripsNext = false

  /// Divides a source.
  static func segments(_ source: Text, of name: Text) throws(TemplateError) -> [Segment] {
    guard source.utf8.count <= TemplateBounds.source else { throw TemplateError(name, "the file is too large") }
    // A single line end at the end of the file is not part of the template.
    var lexer = TemplateLexer(name: name, source: Array((source.dropping(suffix: "\n") ?? source).utf8))
    try lexer.run()
    return lexer.segments
  }

  private init(name: Text, source: [UInt8]) {
    self.name = name
    self.source = source
  }

  private func fail(_ problem: Text) -> TemplateError { TemplateError(name, line: line, problem) }

  private func byte(_ index: Int) -> UInt8? { index < source.count ? source[index] : nil }

  private func starts(_ text: Text, at index: Int) -> Bool {
    source.count - index >= text.utf8.count && source[index...].starts(with: text.utf8)
  }

  private mutating func run() throws(TemplateError) {
    while at < source.count {
      var end = at
      while end < source.count, !(byte(end) == UInt8(ascii: "{") && "{%#".utf8.contains(byte(end + 1) ?? 0)) {
        end += 1
      }
      let stripsEnd = end < source.count && byte(end + 2) == UInt8(ascii: "-")
      appendText(at..<end, stripsEnd: stripsEnd)
      at = end
      if at < source.count { try tag() }
    }
  }

  private mutating func appendText(_ range: Range<Int>, stripsEnd: Bool) {
    line += source[range].count { $0 == UInt8(ascii: "\n") }
    var text = source[range]
    if stripsNext { text = text.drop(while: Self.isSpace) }
    if stripsEnd { while let last = text.last, Self.isSpace(last) { text.removeLast() } }
    stripsNext = false
    if !text.isEmpty { segments.append(.text(Text(decoding: text, as: UTF8.self))) }
  }

  private mutating func tag() throws(TemplateError) {
    let (kind, start) = (byte(at + 1), line)
    at += 2
    if kind == UInt8(ascii: "#") { return try comment() }
    if let sign = byte(at), sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { at += 1 }
    let isOutput = kind == UInt8(ascii: "{")
    let tokens = try tokens(until: isOutput ? "}}" : "%}")
    if isOutput {
      segments.append(.output(tokens, line: start))
    } else if case .name("raw")? = tokens.first, tokens.count == 1 {
      try raw()
    } else {
      segments.append(.statement(tokens, line: start))
    }
  }

  private mutating func comment() throws(TemplateError) {
    while at < source.count {
      if starts("#}", at: at) {
        stripsNext = at > 0 && byte(at - 1) == UInt8(ascii: "-")
        at += 2
        return
      }
      if byte(at) == UInt8(ascii: "\n") { line += 1 }
      at += 1
    }
    throw fail("a comment has no end")
  }

  /// Takes what stands up to `{% endraw %}` for text.
  private mutating func raw() throws(TemplateError) {
    var end = at
    while end < source.count {
      if starts("{%", at: end) {
        var next = end + 2
        let strips = byte(next) == UInt8(ascii: "-")
        if strips { next += 1 }
        while let space = byte(next), Self.isSpace(space) { next += 1 }
        if starts("endraw", at: next) {
          appendText(at..<end, stripsEnd: strips)
          at = next + 6
          _ = try tokens(until: "%}")
          return
        }
      }
      end += 1
    }
    throw fail("raw has no end")
  }

  // MARK: Tokens

  private mutating func tokens(until end: Text) throws(TemplateError) -> [TemplateToken] {
    var tokens: [TemplateToken] = []
    var braces = 0
    while let next = byte(at) {
      if Self.isSpace(next) {
        if next == UInt8(ascii: "\n") { line += 1 }
        at += 1
        continue
      }
      if braces == 0 {
        if starts(end, at: at) {
          at += end.utf8.count
          return tokens
        }
        if "-+".utf8.contains(next), starts(end, at: at + 1) {
          stripsNext = next == UInt8(ascii: "-")
          at += 1 + end.utf8.count
          return tokens
        }
      }
      let token = try token(next)
      if case .sign("{") = token { braces += 1 }
      if case .sign("}") = token { braces -= 1 }
      tokens.append(token)
    }
    throw fail("a tag has no end")
  }

  private mutating func token(_ first: UInt8) throws(TemplateError) -> TemplateToken {
    if Self.isNameByte(first), !Self.isDigit(first) { return .name(word(while: Self.isNameByte)) }
    if Self.isDigit(first) { return try number() }
    if first == UInt8(ascii: "'") || first == UInt8(ascii: "\"") { return .string(try string(first)) }
    for sign in ["==", "!=", "<=", ">=", "//", "**"] as [Text] where starts(sign, at: at) {
      at += 2
      return .sign(sign)
    }
    guard "()[]{}.,:|+-*/%~<>=".utf8.contains(first) else { throw fail("there is a strange character in a tag") }
    at += 1
    return .sign(Text(decoding: [first], as: UTF8.self))
  }

  private mutating func word(while belongs: (UInt8) -> Bool) -> Text {
    let start = at
    while let next = byte(at), belongs(next) { at += 1 }
    return Text(decoding: source[start..<at], as: UTF8.self)
  }

  private mutating func number() throws(TemplateError) -> TemplateToken {
    let whole = word(while: { Self.isDigit($0) || $0 == UInt8(ascii: "_") }).split(separator: UInt8(ascii: "_"))
      .joined()
    if byte(at) == UInt8(ascii: "."), let next = byte(at + 1), Self.isDigit(next) {
      at += 1
      if let value = Double("\(whole).\(word(while: Self.isDigit))") { return .double(value) }
    }
    guard let value = Int64(whole) else { throw fail("a number is too large") }
    return .integer(value)
  }

  private mutating func string(_ quote: UInt8) throws(TemplateError) -> Text {
    at += 1
    var bytes: [UInt8] = []
    while let next = byte(at) {
      at += 1
      if next == quote { return Text(decoding: bytes, as: UTF8.self) }
      if next == UInt8(ascii: "\n") { line += 1 }
      guard next == UInt8(ascii: "\\"), let escaped = byte(at) else {
        bytes.append(next)
        continue
      }
      at += 1
      switch escaped {
      case UInt8(ascii: "n"): bytes.append(UInt8(ascii: "\n"))
      case UInt8(ascii: "t"): bytes.append(UInt8(ascii: "\t"))
      case UInt8(ascii: "r"): bytes.append(UInt8(ascii: "\r"))
      case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): bytes.append(escaped)
      default: bytes += [next, escaped]
      }
    }
    throw fail("a text has no end")
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
  private static func isNameByte(_ byte: UInt8) -> Bool {
    isDigit(byte) || byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }
}
