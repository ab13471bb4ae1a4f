import ByteText

/// The methods of Python's texts and mappings that templates call.
enum TemplateMethods {
  static func call(_ method: Text, of value: TemplateValue, _ arguments: TemplateArguments, in template: Text)
    throws(TemplateError) -> TemplateValue
  {
    if let string = value.string, let result = text(method, string, arguments.positional) { return result }
    if case .mapping(let mapping) = value, let result = entries(method, mapping, arguments.positional) { return result }
    throw TemplateError(template, "there is no method \(method)")
  }

  private static func text(_ method: Text, _ text: Text, _ arguments: [TemplateValue]) -> TemplateValue? {
    let first = arguments.first?.string
    switch method {
    case "upper": return .text(TemplateCase.upper(text))
    case "lower": return .text(TemplateCase.lower(text))
    case "strip": return .text(text.trimmed)
    case "startswith": return .bool(first.map { text.hasPrefix($0) } ?? false)
    case "endswith": return .bool(first.map { text.hasSuffix($0) } ?? false)
    case "split":
      guard let first, !first.isEmpty else { return .list(text.words.map { .text($0) }) }
      return .list(pieces(text, first, limit: arguments.dropFirst().first?.integerValue).map { .text($0) })
    case "replace":
      guard let first, !first.isEmpty, let second = arguments.dropFirst().first?.string else { return nil }
      return .text(pieces(text, first, limit: nil).joined(separator: second))
    case "join":
      return arguments.first?.elements.map { .text($0.map(\.shown).joined(separator: text)) }
    default: return nil
    }
  }

  static func pieces(_ text: Text, _ separator: Text, limit: Int64?) -> [Text] {
    var (pieces, rest) = ([Text](), text)
    while Int64(pieces.count) < limit ?? .max, let (before, after) = rest.cut(at: separator) {
      pieces.append(before)
      rest = after
    }
    return pieces + [rest]
  }

  private static func entries(_ method: Text, _ mapping: TemplateMapping, _ arguments: [TemplateValue])
    -> TemplateValue?
  {
    switch method {
    case "items": .list(mapping.entries.map { .list([$0.key, $0.value]) })
    case "keys": .list(mapping.entries.map(\.key))
    case "values": .list(mapping.entries.map(\.value))
    case "get": arguments.first.map { mapping[$0] ?? arguments.dropFirst().first ?? .none }
    default: nil
    }
  }
}
