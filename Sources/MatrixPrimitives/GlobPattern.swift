/// Matches text against a pattern in which `*` stands for any number of characters and `?` for one, case aside.
///
/// A line break is matched by neither, as in Synapse's push rules. Matching takes time in proportion to pattern times text at worst.
public struct GlobPattern: Sendable, Hashable {
  private let pattern: [Unicode.Scalar]
  private let isLiteral: Bool

  /// Prepares a pattern; there is no way to quote the two special characters.
  public init(_ pattern: String) {
    self.pattern = FoldedText(pattern).scalars
    isLiteral = !self.pattern.contains("*") && !self.pattern.contains("?")
  }

  /// Prepares a pattern that matches just this text.
  public init(literal: String) {
    pattern = FoldedText(literal).scalars
    isLiteral = true
  }

  /// Tells whether the pattern matches the whole text.
  public func matches(_ text: FoldedText) -> Bool {
    if isLiteral { return pattern == text.scalars }
    return longestMatches(in: text.scalars, from: 0) { $0 == text.scalars.count }
  }

  /// Tells whether the pattern matches a part of the text that begins and ends where words do.
  public func matchesWords(of text: FoldedText) -> Bool {
    let scalars = text.scalars
    for start in 0...scalars.count where text.isWordEdge(start) {
      if isLiteral {
        let end = start + pattern.count
        guard end <= scalars.count else { return false }
        if text.isWordEdge(end), scalars[start..<end].elementsEqual(pattern) { return true }
      } else if longestMatches(in: scalars, from: start, accept: { text.isWordEdge($0) }) {
        return true
      }
    }
    return false
  }

  /// Walks all ends the pattern can reach from a start at once, as a set of positions in the pattern.
  private func longestMatches(in text: [Unicode.Scalar], from start: Int, accept: (Int) -> Bool) -> Bool {
    var states = [Bool](repeating: false, count: pattern.count + 1)
    states[0] = true
    var position = start
    while true {
      // A star may stand for nothing.
      for (index, symbol) in pattern.enumerated() where symbol == "*" && states[index] { states[index + 1] = true }
      if states[pattern.count], accept(position) { return true }
      guard position < text.count else { return false }
      let scalar = text[position]
      var next = [Bool](repeating: false, count: pattern.count + 1)
      var isAlive = false
      for (index, symbol) in pattern.enumerated() where states[index] {
        switch symbol {
        case "*" where scalar != "\n": next[index] = true
        case "?" where scalar != "\n": next[index + 1] = true
        case "*", "?": continue
        case scalar: next[index + 1] = true
        default: continue
        }
        isAlive = true
      }
      guard isAlive else { return false }
      states = next
      position += 1
    }
  }
}

/// Holds text prepared for comparing without regard to case, and knows where its words begin and end.
public struct FoldedText: Sendable, Hashable {
  let scalars: [Unicode.Scalar]

  /// Folds each character that has a single counterpart in lower case.
  public init(_ text: String) {
    scalars = text.unicodeScalars.map(Self.fold)
  }

  private static func fold(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    if scalar.isASCII {
      return ("A"..."Z").contains(scalar) ? Unicode.Scalar(UInt8(scalar.value) | 0x20) : scalar
    }
    // By way of upper case, so that the variants of a letter (such as both small sigmas) meet.
    let upper = single(scalar.properties.uppercaseMapping) ?? scalar
    if upper.isASCII, scalar == "\u{131}" { return scalar }
    return single(upper.properties.lowercaseMapping) ?? upper
  }

  private static func single(_ mapping: String) -> Unicode.Scalar? {
    let scalars = mapping.unicodeScalars
    return scalars.count == 1 ? scalars.first : nil
  }

  /// Tells whether a pattern bound to words may begin or end before the character at a position: at the ends of the text, or where at
  /// least one of the neighbours is no letter, digit or underscore.
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
