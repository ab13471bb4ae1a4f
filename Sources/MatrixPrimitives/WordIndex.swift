/// The places where the words of a text begin, so that many names can be looked for in it at little cost.
public struct WordIndex: Sendable {
  private let text: FoldedText
  /// The places at which a word may begin, in order.
  private var starts: [Int] = []
  /// A bit for each ASCII character that a word begins with.
  private var ascii = SIMD2<UInt64>()
  private var others: Set<Unicode.Scalar> = []

  /// Looks through a text once.
  public init(_ text: FoldedText) {
    self.text = text
    for (place, scalar) in text.scalars.enumerated() where text.isWordEdge(place) {
      starts.append(place)
      if scalar.isASCII {
        ascii[Int(scalar.value >> 6)] |= 1 << UInt64(scalar.value & 63)
      } else {
        others.insert(scalar)
      }
    }
  }

  /// Returns whether a name stands in the text as words of its own, case aside: as ``GlobPattern/matchesWords(of:)``
  /// does for the pattern that matches just this name. The empty name occurs everywhere.
  public func contains(_ name: Text) -> Bool {
    let scalars = name.unicodeScalars
    guard let first = scalars.first.map(FoldedText.fold) else { return true }
    guard mayBegin(first) else { return false }
    let length = scalars.count
    guard length <= GlobPattern.longestCompared else { return GlobPattern(literal: name).matchesWords(of: text) }
    for start in starts where text.scalars[start] == first {
      let end = start + length
      guard end <= text.scalars.count else { return false }
      if text.isWordEdge(end), text.scalars[start..<end].elementsEqual(scalars, by: { $0 == FoldedText.fold($1) }) {
        return true
      }
    }
    return false
  }

  /// Returns whether a pattern matches a part of the text that begins and ends where words do, as
  /// ``GlobPattern/matchesWords(of:)``.
  public func contains(_ pattern: GlobPattern) -> Bool {
    guard !pattern.walksOnce, let first = pattern.pattern.first else { return pattern.matchesWords(of: text) }
    return mayBegin(first) && pattern.matchesWords(of: text, at: starts)
  }

  /// Returns how many characters are looked at, at most, for ``contains(_:)-(GlobPattern)``.
  public func work(for pattern: GlobPattern) -> Int {
    guard !pattern.walksOnce else { return pattern.work(length: text.scalars.count) }
    return work(first: pattern.pattern.first, length: pattern.pattern.count)
  }

  /// Returns how many characters are looked at, at most, for ``contains(_:)-(Text)``.
  public func work(for name: Text) -> Int {
    let scalars = name.unicodeScalars
    return work(first: scalars.first.map(FoldedText.fold), length: scalars.count)
  }

  /// Returns how many characters are looked at: a short text is compared at each place where a word begins, a long one
  /// in one walk.
  private func work(first: Unicode.Scalar?, length: Int) -> Int {
    guard let first, mayBegin(first) else { return 1 }
    return length <= GlobPattern.longestCompared
      ? (starts.count + 1) * length : (text.scalars.count + 1) * (length / 64 + 1)
  }

  private func mayBegin(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.isASCII else { return others.contains(scalar) }
    return ascii[Int(scalar.value >> 6)] & (1 << UInt64(scalar.value & 63)) != 0
  }
}
