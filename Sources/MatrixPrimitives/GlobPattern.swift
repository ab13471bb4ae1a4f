/// A pattern in which `*` stands for any number of characters and `?` for one, case aside.
///
/// A line break is matched by neither, as in Synapse's push rules. Users write patterns and the texts they are matched with, so no
/// pair of the two may take long: the text is walked once, with all places of the pattern that it may have reached held as
/// bits. A pattern with more than ``longest`` characters matches nothing but, without wildcards, itself as a whole.
public struct GlobPattern: Sendable, Hashable {
  /// The largest number of characters in a pattern.
  public static let longest = 4_096
  /// The largest length of a text that is compared character by character at each place where it may begin.
  static let longestCompared = 64

  let pattern: [Unicode.Scalar]
  private let isLiteral: Bool
  private let automaton: GlobAutomaton?

  /// Prepares a pattern; there is no way to quote the two special characters.
  public init(_ pattern: Text) {
    let scalars = FoldedText(pattern).scalars
    self.init(scalars, isLiteral: !scalars.contains("*") && !scalars.contains("?"))
  }

  /// Prepares a pattern that matches just this text.
  public init(literal: Text) {
    self.init(FoldedText(literal).scalars, isLiteral: true)
  }

  private init(_ scalars: [Unicode.Scalar], isLiteral: Bool) {
    pattern = scalars
    self.isLiteral = isLiteral
    let isCompared = isLiteral && scalars.count <= Self.longestCompared
    automaton = isCompared || scalars.count > Self.longest ? nil : GlobAutomaton(scalars, isLiteral: isLiteral)
  }

  /// Whether finding the pattern in a text walks the text once, instead of comparing a short pattern at each place.
  var walksOnce: Bool { automaton != nil }

  /// Returns how many characters are looked at, at most, to match a text of some length.
  public func work(length: Int) -> Int {
    guard let automaton else { return length + 1 }
    return (length + 1) * (automaton.symbolCount / 64 + 1)
  }

  /// Returns whether the pattern matches the whole text.
  public func matches(_ text: FoldedText) -> Bool {
    if isLiteral { return pattern == text.scalars }
    let end = text.scalars.count
    return automaton?.matches(text.scalars, beginning: { $0 == 0 }, ending: { $0 == end }) ?? false
  }

  /// Returns whether the pattern matches a part of the text that begins and ends where words do.
  public func matchesWords(of text: FoldedText) -> Bool {
    if let automaton {
      return automaton.matches(text.scalars, beginning: text.isWordEdge, ending: text.isWordEdge)
    }
    return matchesWords(of: text, at: (0...text.scalars.count).lazy.filter(text.isWordEdge))
  }

  /// Compares the pattern at the places of a text where words may begin, given in order.
  func matchesWords(of text: FoldedText, at starts: some Sequence<Int>) -> Bool {
    let scalars = text.scalars
    guard pattern.count <= min(scalars.count, Self.longestCompared) else { return false }
    for start in starts {
      let end = start + pattern.count
      guard end <= scalars.count else { return false }
      if scalars[start..<end].elementsEqual(pattern), text.isWordEdge(end) { return true }
    }
    return false
  }
}

/// Text prepared for comparing without regard to case, with the places where its words begin and end.
public struct FoldedText: Sendable, Hashable {
  /// The folded characters.
  public let scalars: [Unicode.Scalar]

  /// Folds each character that has a single counterpart in lower case.
  public init(_ text: Text) {
    scalars = text.unicodeScalars.map(Self.fold)
  }

  /// The folded forms of all characters up to the end of Greek, where nearly all scripts with two cases are.
  private static let folded: [Unicode.Scalar] = (UInt32(0)..<0x2000).map { value in
    // Surrogates, which are no characters, stand far behind.
    Unicode.Scalar(value).map(foldByProperties) ?? " "
  }

  static func fold(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    if scalar.isASCII {
      return ("A"..."Z").contains(scalar) ? Unicode.Scalar(UInt8(scalar.value) | 0x20) : scalar
    }
    let place = Int(scalar.value)
    return place < folded.count ? folded[place] : foldByProperties(scalar)
  }

  /// Folds by way of upper case, so that the variants of a letter (such as both small sigmas) meet.
  ///
  /// Mappings are made as strings, which takes long; most characters have none.
  static func foldByProperties(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    guard scalar.properties.changesWhenUppercased || scalar.properties.changesWhenLowercased else { return scalar }
    return foldByMappings(scalar)
  }

  /// Does what ``foldByProperties`` does, the long way.
  static func foldByMappings(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    let upper = single(scalar.properties.uppercaseMapping) ?? scalar
    if upper.isASCII, scalar == "\u{131}" { return scalar }
    return single(upper.properties.lowercaseMapping) ?? upper
  }

  private static func single(_ mapping: String) -> Unicode.Scalar? {
    let scalars = mapping.unicodeScalars
    return scalars.count == 1 ? scalars.first : nil
  }

  /// Returns whether a pattern bound to words may begin or end before the character at a position: at the ends of the
  /// text, or where at least one of the neighbours is no letter, digit or underscore.
  func isWordEdge(_ position: Int) -> Bool {
    guard position > 0, position < scalars.count else { return true }
    return !Self.isWordCharacter(scalars[position - 1]) || !Self.isWordCharacter(scalars[position])
  }

  private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "_": return true
      default: return false
      }
    }
    if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }
}
