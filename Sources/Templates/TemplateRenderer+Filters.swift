import MatrixPrimitives

extension TemplateRenderer {
  /// Applies a filter.
  func filtered(_ value: TemplateValue, _ name: Text, _ arguments: TemplateArguments) throws(TemplateError)
    -> TemplateValue
  {
    if let result = try markup(value, name, arguments) { return result }
    if let result = try text(value, name, arguments) { return result }
    if let result = try list(value, name, arguments) { return result }
    if let result = number(value, name, arguments) { return result }
    if let result = try library.filtered(value, name, arguments, in: program.name) { return result }
    throw fail("there is no filter \(name)")
  }

  private func markup(_ value: TemplateValue, _ name: Text, _ arguments: TemplateArguments) throws(TemplateError)
    -> TemplateValue?
  {
    switch name {
    case "e", "escape": return .markup(value.escaped)
    case "forceescape": return .markup(TemplateValue.escape(value.shown))
    case "safe": return .markup(value.shown)
    case "default", "d":
      let replaces = value.isUndefined || (arguments.value(1, "boolean")?.isTrue ?? false) && !value.isTrue
      return replaces ? arguments.value(0, "default_value") ?? "" : value
    case "striptags": return .text(Self.withoutTags(value.shown))
    case "urlencode": return .text(try Self.urlEncoded(value))
    case "tojson":
      var text: [UInt8] = []
      for byte in try json(value, depth: 0).encoded {
        switch byte {
        case UInt8(ascii: "<"): text += "\\u003c".utf8
        case UInt8(ascii: ">"): text += "\\u003e".utf8
        case UInt8(ascii: "&"): text += "\\u0026".utf8
        case UInt8(ascii: "'"): text += "\\u0027".utf8
        default: text.append(byte)
        }
      }
      return .markup(Text(decoding: text, as: UTF8.self))
    default: return nil
    }
  }

  private func json(_ value: TemplateValue, depth: Int) throws(TemplateError) -> JSON {
    guard depth < TemplateBounds.depth else { throw fail("a value is nested too deep") }
    switch value {
    case .undefined, .none, .macro: return .null
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .double(let value): return .double(value)
    case .text(let value), .markup(let value): return .string(value)
    case .list(let elements):
      var result: [JSON] = []
      for element in elements { result.append(try json(element, depth: depth + 1)) }
      return .array(result)
    case .mapping(let mapping):
      var result: [Text: JSON] = [:]
      for (key, value) in mapping.entries { result[key.shown] = try json(value, depth: depth + 1) }
      return .object(result)
    }
  }

  private func text(_ value: TemplateValue, _ name: Text, _ arguments: TemplateArguments) throws(TemplateError)
    -> TemplateValue?
  {
    func like(_ text: Text) -> TemplateValue { if case .markup = value { .markup(text) } else { .text(text) } }
    let shown = value.shown
    switch name {
    case "string": return value.string == nil ? .text(shown) : value
    case "upper": return like(TemplateCase.upper(shown))
    case "lower": return like(TemplateCase.lower(shown))
    case "trim": return like(shown.trimmed)
    case "capitalize": return like(TemplateCase.capitalized(shown))
    case "title":
      return like(
        shown.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map(TemplateCase.capitalized)
          .joined(separator: " "))
    case "replace":
      guard let old = arguments.value(0, "old")?.string, !old.isEmpty, let new = arguments.value(1, "new")?.string
      else {
        throw fail("replace wants two texts")
      }
      return like(TemplateMethods.pieces(shown, old, limit: nil).joined(separator: new))
    case "truncate":
      let length = Int(clamping: arguments.value(0, "length")?.integerValue ?? 255)
      let end = arguments.value(2, "end")?.shown ?? "..."
      let scalars = shown.unicodeScalars
      guard scalars.count > length + 5 else { return value }
      let kept = scalars.prefix(max(0, length - end.unicodeScalars.count)).map { Text($0) }.joined()
      if arguments.value(1, "killwords")?.isTrue ?? false { return like(kept + end) }
      let words = kept.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).dropLast()
      return like((words.isEmpty ? kept : Array(words).joined(separator: " ")) + end)
    case "format": return like(try TemplateFormat.apply(shown, arguments.positional, in: program.name))
    case "wordcount": return .integer(Int64(shown.words.count))
    default: return nil
    }
  }

  private func list(_ value: TemplateValue, _ name: Text, _ arguments: TemplateArguments) throws(TemplateError)
    -> TemplateValue?
  {
    let names: Set<Text> = [
      "length", "count", "first", "last", "list", "reverse", "join", "sort", "unique", "sum", "min", "max", "items",
      "dictsort", "map",
    ]
    guard names.contains(name) else { return nil }
    guard let elements = value.elements else { throw fail("\(name) wants a list") }
    switch name {
    case "length", "count": return .integer(Int64(elements.count))
    case "first": return elements.first ?? .undefined("first")
    case "last": return elements.last ?? .undefined("last")
    case "list": return .list(elements)
    case "reverse":
      return value.string == nil ? .list(elements.reversed()) : .text(elements.reversed().map(\.shown).joined())
    case "join": return joined(elements, arguments)
    case "sort": return .list(elements.sorted { (TemplateValue.order($0, $1) ?? 0) < 0 })
    case "unique":
      return .list(
        elements.reduce(into: []) { all, next in if !all.contains(where: { $0 == next }) { all.append(next) } })
    case "sum": return .integer(elements.reduce(0) { $0 &+ ($1.integerValue ?? 0) })
    case "min": return elements.min { (TemplateValue.order($0, $1) ?? 0) < 0 } ?? .undefined("min")
    case "max": return elements.max { (TemplateValue.order($0, $1) ?? 0) < 0 } ?? .undefined("max")
    case "map":
      guard let attribute = arguments.named["attribute"] else { throw fail("map wants an attribute") }
      return .list(
        elements.map { if case .mapping(let m) = $0 { m[attribute] ?? .undefined("") } else { .undefined("") } })
    default:
      guard case .mapping(let mapping) = value else { throw fail("\(name) wants a mapping") }
      let entries = mapping.entries
      let sorted = name == "items" ? entries : entries.sorted { (TemplateValue.order($0.key, $1.key) ?? 0) < 0 }
      return .list(sorted.map { .list([$0.key, $0.value]) })
    }
  }

  /// Joins elements; in HTML what is not HTML already is escaped.
  private func joined(_ elements: [TemplateValue], _ arguments: TemplateArguments) -> TemplateValue {
    let separator = arguments.value(0, "d") ?? ""
    var elements = elements
    if let attribute = arguments.value(1, "attribute") {
      elements = elements.map { if case .mapping(let mapping) = $0 { mapping[attribute] ?? "" } else { "" } }
    }
    let isMarkup = ([separator] + elements).contains { if case .markup = $0 { true } else { false } }
    return isMarkup
      ? .markup(elements.map(\.escaped).joined(separator: separator.escaped))
      : .text(elements.map(\.shown).joined(separator: separator.shown))
  }

  private func number(_ value: TemplateValue, _ name: Text, _ arguments: TemplateArguments) -> TemplateValue? {
    switch name {
    case "int":
      let number =
        value.integerValue
        ?? (value.number ?? Double(value.shown.trimmed)).flatMap {
          Int64(exactly: $0.rounded(.towardZero))
        }
      return number.map { .integer($0) } ?? arguments.value(0, "default") ?? .integer(0)
    case "float": return .double(value.number ?? Double(value.shown.trimmed) ?? 0)
    case "abs":
      if let whole = value.integerValue { return .integer(whole < 0 ? 0 &- whole : whole) }
      return .double((value.number ?? 0).magnitude)
    case "round":
      let digits = Int(clamping: arguments.value(0, "precision")?.integerValue ?? 0)
      return .double(Double(TemplateFormat.fixed(value.number ?? 0, max(0, min(digits, 15)))) ?? 0)
    default: return nil
    }
  }

  // MARK: Texts

  private static func withoutTags(_ text: Text) -> Text {
    var (bytes, isTag) = ([UInt8](), false)
    for byte in text.utf8 {
      if byte == UInt8(ascii: "<") {
        isTag = true
      } else if byte == UInt8(ascii: ">"), isTag {
        isTag = false
      } else if !isTag {
        bytes.append(byte)
      }
    }
    return Text(decoding: bytes, as: UTF8.self).words.joined(separator: " ")
  }

  private static func urlEncoded(_ value: TemplateValue) throws(TemplateError) -> Text {
    guard case .mapping(let mapping) = value else { return PercentEncoding.encode(value.shown, keepingSlashes: true) }
    return mapping.entries.map {
      "\(PercentEncoding.encodeForm($0.key.shown))=\(PercentEncoding.encodeForm($0.value.shown))"
    }.joined(separator: "&")
  }
}
