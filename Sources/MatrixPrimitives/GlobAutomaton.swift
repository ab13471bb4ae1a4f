/// One walk of a text along a pattern with wildcards. Bit `n` of its state says whether the first `n` symbols of the
/// pattern may have been matched by what ends here.
///
/// For a pattern of `n` symbols it holds no more than a few times `n` numbers, and a character of the text costs at most a few times
/// `n / 64` steps, whatever the contents of either.
struct GlobAutomaton: Sendable, Hashable {
  /// The symbols of the pattern that a character matches: a row of bits when there are many, a list when there are few.
  private enum Places: Hashable {
    case row(Int)
    case list(Range<Int>)
  }

  let symbolCount: Int
  private let wordCount: Int
  /// The symbols that are a star, a bit each.
  private let stars: [UInt64]
  /// The symbols that are a question mark, a bit each.
  private let questions: [UInt64]
  /// The symbols that are one character, row after row, a bit each; the first row is empty.
  private let rows: [UInt64]
  /// The places of characters that stand in the pattern at no more places than a row has words.
  private let lists: [Int]
  private let places: [Unicode.Scalar: Places]

  /// Prepares a pattern.
  ///
  /// - Parameter isLiteral: whether star and question mark stand for themselves.
  init(_ pattern: [Unicode.Scalar], isLiteral: Bool = false) {
    // Several stars are as good as one, and of one only does the state after it follow in a single step.
    var symbols: [Unicode.Scalar] = []
    for symbol in pattern where isLiteral || symbol != "*" || symbols.last != "*" { symbols.append(symbol) }
    let wordCount = symbols.count / 64 + 1
    let empty = [UInt64](repeating: 0, count: wordCount)
    var (stars, questions) = (empty, empty)
    var found: [Unicode.Scalar: [Int]] = [:]
    for (index, symbol) in symbols.enumerated() {
      switch symbol {
      case "*" where !isLiteral: Self.mark(index, in: &stars)
      case "?" where !isLiteral: Self.mark(index, in: &questions)
      default: found[symbol, default: []].append(index)
      }
    }
    var rows = empty
    var lists: [Int] = []
    var places: [Unicode.Scalar: Places] = [:]
    // In the order of the pattern, so that equal patterns are equal here too.
    for symbol in symbols {
      guard let indices = found.removeValue(forKey: symbol) else { continue }
      if indices.count > wordCount {
        places[symbol] = .row(rows.count)
        var row = empty
        for index in indices { Self.mark(index, in: &row) }
        rows += row
      } else {
        places[symbol] = .list(lists.count..<(lists.count + indices.count))
        lists += indices
      }
    }
    symbolCount = symbols.count
    (self.wordCount, self.stars, self.questions) = (wordCount, stars, questions)
    (self.rows, self.lists, self.places) = (rows, lists, places)
  }

  /// The number of integers that are kept.
  var size: Int { stars.count + questions.count + rows.count + lists.count + places.count }

  /// Counts the steps that a character of the text costs.
  func cost(of character: Unicode.Scalar) -> Int {
    if case .list(let range) = places[character] { return wordCount + range.count }
    return wordCount
  }

  /// Returns whether the pattern matches a part of a text.
  ///
  /// - Parameters:
  ///   - text: the text, with characters folded as those of the pattern.
  ///   - beginning: whether the part may begin before the character at a position.
  ///   - ending: whether it may end there.
  func matches(_ text: [Unicode.Scalar], beginning: (Int) -> Bool, ending: (Int) -> Bool) -> Bool {
    var state = [UInt64](repeating: 0, count: wordCount)
    var next = state
    for position in 0...text.count {
      if beginning(position) { state[0] |= 1 }
      passStars(&state)
      if Self.isMarked(symbolCount, in: state), ending(position) { return true }
      guard position < text.count else { return false }
      step(from: state, to: &next, over: text[position])
      swap(&state, &next)
    }
    return false
  }

  private static func mark(_ index: Int, in words: inout [UInt64]) { words[index / 64] |= 1 << UInt64(index % 64) }

  private static func isMarked(_ index: Int, in words: [UInt64]) -> Bool {
    words[index / 64] >> UInt64(index % 64) & 1 == 1
  }

  /// Moves past stars, which may stand for nothing.
  private func passStars(_ state: inout [UInt64]) {
    var carry: UInt64 = 0
    for word in 0..<wordCount {
      let passing = state[word] & stars[word]
      state[word] |= passing << 1 | carry
      carry = passing >> 63
    }
  }

  private func step(from state: [UInt64], to next: inout [UInt64], over character: Unicode.Scalar) {
    let wildcards: UInt64 = character == "\n" ? 0 : .max
    let found = places[character]
    let row = if case .row(let start) = found { start } else { 0 }
    var carry: UInt64 = 0
    for word in 0..<wordCount {
      let moving = state[word] & (questions[word] & wildcards | rows[row + word])
      next[word] = moving << 1 | carry | state[word] & stars[word] & wildcards
      carry = moving >> 63
    }
    guard case .list(let range) = found else { return }
    for index in lists[range] where Self.isMarked(index, in: state) { Self.mark(index + 1, in: &next) }
  }
}
