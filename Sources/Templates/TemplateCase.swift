import ByteText

/// Capital and small letters by Unicode's rule, as Python's texts have them.
enum TemplateCase {
  static func upper(_ text: Text) -> Text { Text(text.string.uppercased()) }

  static func lower(_ text: Text) -> Text { Text(text.string.lowercased()) }

  /// Makes the first letter a capital and all others small.
  static func capitalized(_ text: Text) -> Text {
    guard let first = text.unicodeScalars.first else { return text }
    return upper(Text(first)) + lower(text.unicodeScalars.dropFirst().map { Text($0) }.joined())
  }
}
