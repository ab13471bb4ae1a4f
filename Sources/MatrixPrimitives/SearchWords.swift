import CUnistring

/// The words of a text that people search users by: broken by Unicode's rules (UAX #29), and at `@` and `:`, which are in identifiers.
///
/// What stands between hyphens, full stops and underlines stays together with them (`user-71`, `a.b`), as PostgreSQL's parser, which stored the
/// names, breaks those by rules of its own. Other punctuation is no word (observed; Synapse breaks with ICU, which besides knows the words of
/// languages that are written without spaces).
public enum SearchWords {
  /// The number of characters of a text that are looked at.
  public static let longest = 1024
  /// The number of words of a text that count.
  public static let most = 10

  /// Returns the words, folded to lower case and NFKC, at most ``most``.
  public static func split(_ text: Text) -> [Text] {
    let scalars = text.unicodeScalars.prefix(longest)
    let start = Text(String(String.UnicodeScalarView(scalars)))
    let folded = normalized(Array(Text(start.string.lowercased()).utf8))
    return Array(joined(pieces(of: folded)).prefix(most))
  }

  /// The characters that hold words together.
  private static let joiners: Set<Text> = ["-", ".", "_"]

  /// Joins words with the joiners between them and before them; drops what is no word.
  private static func joined(_ pieces: [Text]) -> [Text] {
    var words: [Text] = []
    // Whether the last piece was a word, to which a joiner can be added.
    var followsWord = false
    var place = 0
    while place < pieces.count {
      let piece = pieces[place]
      place += 1
      guard joiners.contains(piece) else {
        followsWord = isWord(piece)
        if followsWord { words.append(piece) }
        continue
      }
      guard place < pieces.count, isWord(pieces[place]) else {
        followsWord = false
        continue
      }
      let before = followsWord ? words.popLast() ?? "" : ""
      words.append(before + piece + pieces[place])
      place += 1
      followsWord = true
    }
    return words
  }

  /// Returns whether a piece begins with a letter, a digit or an underline.
  private static func isWord(_ piece: Text) -> Bool {
    guard let first = piece.unicodeScalars.first else { return false }
    if first == "_" { return true }
    return switch first.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber:
      true
    default: false
    }
  }

  /// Breaks text into words and what is between them, without white space round either; what is empty then stays, as it parts words.
  private static func pieces(of text: [UInt8]) -> [Text] {
    guard !text.isEmpty else { return [] }
    var breaks = [CChar](repeating: 0, count: text.count)
    u8_wordbreaks(text, text.count, &breaks)
    var pieces: [Text] = []
    var start = 0
    for end in 1...text.count where end == text.count || breaks[end] != 0 {
      let parts = text[start..<end].split(omittingEmptySubsequences: false) {
        $0 == UInt8(ascii: "@") || $0 == UInt8(ascii: ":")
      }
      for part in parts { pieces.append(Text(decoding: part, as: UTF8.self).words.joined(separator: " ")) }
      start = end
    }
    return pieces
  }

  private static func normalized(_ text: [UInt8]) -> [UInt8] { SearchText.normalized(text) }
}
