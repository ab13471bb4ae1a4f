/// Walks a text once along a pattern with wildcards. Bit `n` of its state tells whether the first `n` symbols of the pattern may
/// have been matched by what ends here.
struct GlobAutomaton: Sendable, Hashable {
  private let symbolCount: Int
  private let wordCount: Int
  /// Marks the symbols that are a star.
  private let stars: [UInt64]
  /// Marks, row after row, the symbols that a character takes one step over.
  private let steps: [UInt64]
  /// Leads from a character to its row; the first row is for all others, the second for line breaks.
  private let rows: [Unicode.Scalar: Int]

  init(_ pattern: [Unicode.Scalar]) {
    // Several stars are as good as one, and of one only does the state after it follow in a single step.
    var symbols: [Unicode.Scalar] = []
    for symbol in pattern where symbol != "*" || symbols.last != "*" { symbols.append(symbol) }
    symbolCount = symbols.count
    wordCount = symbols.count / 64 + 1
    var rows: [Unicode.Scalar: Int] = ["\n": 1]
    for symbol in symbols where symbol != "*" && symbol != "?" && rows[symbol] == nil { rows[symbol] = rows.count + 1 }
    var stars = [UInt64](repeating: 0, count: wordCount)
    var steps = [UInt64](repeating: 0, count: wordCount * (rows.count + 1))
    for (index, symbol) in symbols.enumerated() {
      let bit = UInt64(1) << UInt64(index % 64)
      switch symbol {
      case "*": stars[index / 64] |= bit
      case "?": for row in 0...rows.count where row != 1 { steps[row * wordCount + index / 64] |= bit }
      default: steps[(rows[symbol] ?? 0) * wordCount + index / 64] |= bit
      }
    }
    self.stars = stars
    self.steps = steps
    self.rows = rows
  }

  /// Tells whether the pattern matches a part of a text.
  ///
  /// - Parameters:
  ///   - text: the text, with characters folded as those of the pattern.
  ///   - beginning: tells whether the part may begin before the character at a position.
  ///   - ending: tells whether it may end there.
  func matches(_ text: [Unicode.Scalar], beginning: (Int) -> Bool, ending: (Int) -> Bool) -> Bool {
    var state = [UInt64](repeating: 0, count: wordCount)
    for position in 0...text.count {
      if beginning(position) { state[0] |= 1 }
      passStars(&state)
      if state[symbolCount / 64] >> UInt64(symbolCount % 64) & 1 == 1, ending(position) { return true }
      if position < text.count { step(&state, over: text[position]) }
    }
    return false
  }

  /// A star may stand for nothing.
  private func passStars(_ state: inout [UInt64]) {
    var carry: UInt64 = 0
    for word in 0..<wordCount {
      let passing = state[word] & stars[word]
      state[word] |= passing << 1 | carry
      carry = passing >> 63
    }
  }

  private func step(_ state: inout [UInt64], over character: Unicode.Scalar) {
    let row = (rows[character] ?? 0) * wordCount
    var carry: UInt64 = 0
    for word in 0..<wordCount {
      let moving = state[word] & steps[row + word]
      let staying = character == "\n" ? 0 : state[word] & stars[word]
      state[word] = moving << 1 | carry | staying
      carry = moving >> 63
    }
  }
}
