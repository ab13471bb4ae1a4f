/// Knows with which characters the words of a text begin, so that most patterns need not be looked for at all.
public struct WordStarts: Sendable {
  /// Has a bit for each ASCII character.
  private var ascii = SIMD2<UInt64>()
  private var others: Set<Unicode.Scalar> = []

  /// Looks at each place of a text where ``GlobPattern/matchesWords(of:)`` would compare a pattern.
  public init(_ text: FoldedText) {
    for (place, scalar) in text.scalars.enumerated() where text.isWordEdge(place) {
      if scalar.isASCII {
        ascii[Int(scalar.value >> 6)] |= 1 << UInt64(scalar.value & 63)
      } else {
        others.insert(scalar)
      }
    }
  }

  /// Tells whether a word of the text begins like a literal does, case aside. When none does, a pattern that matches just this
  /// literal does not match any words of the text; the empty one may always.
  public func mayInclude(_ literal: String) -> Bool {
    guard let first = literal.unicodeScalars.first.map(FoldedText.fold) else { return true }
    guard first.isASCII else { return others.contains(first) }
    return ascii[Int(first.value >> 6)] & (1 << UInt64(first.value & 63)) != 0
  }
}
