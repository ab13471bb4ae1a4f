import SeededNumbers

/// The inputs that are made out of a few good ones, the same for the same seed.
struct Mutator {
  private var random: SeededRandom
  private var pool: [[UInt8]]
  private static let maximumSize = 4096
  /// What is worth putting somewhere: tokens at which parsers branch.
  private static let tokens: [[UInt8]] = [
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud83d\\ude00", "\\ud800", "null", "true", "-0", "1e10",
    "1.5",
    "9007199254740992", "-9007199254740992", "9223372036854775807", "18446744073709551616", "1e999", "@a:b", "!r:x",
    "$e", "#a:b", "m.room.member", "m.room.create", "m.room.power_levels", "m.room.join_rules", "\"\"", "{}", "[]",
    "[::1]:8448", "*", "?", "\u{0}", "é", "e\u{301}", "😀", "\u{FFFF}", "=", "ed25519:1",
  ].map { Array($0.utf8) }

  /// Texts that Unicode counts as the same, group by group: composed and decomposed letters, syllables and signs, marks in another order.
  private static let equivalent: [[[UInt8]]] = [
    ["\u{e9}", "e\u{301}"], ["\u{c5}", "A\u{30a}", "\u{212b}"], ["K", "\u{212a}"], ["\u{ac00}", "\u{1100}\u{1161}"],
    ["\u{1e69}", "s\u{323}\u{307}", "s\u{307}\u{323}"], ["\u{3a9}", "\u{2126}"], [";", "\u{37e}"], ["`", "\u{1fef}"],
    ["\u{2329}", "\u{3008}"], ["\u{f900}", "\u{8c48}"],
  ].map { $0.map { Array($0.utf8) } }
  /// What joins the character before it, ends a line, turns the direction, or changes its length with its case.
  private static let marks: [[UInt8]] = [
    "\u{301}", "\u{30a}", "\u{323}", "\u{345}", "\u{200d}", "\u{fe0f}", "\u{20e3}", "\u{600}", "\u{1161}", "\u{11a8}",
    "\u{2028}", "\u{202e}", "\u{feff}", "\u{e000}", "\u{df}", "\u{130}", "\u{131}", "\u{17f}", "\u{1e9e}", "\u{fb01}",
    "\u{3c2}", "\r\n",
  ].map { Array($0.utf8) }
  /// Escapes in JSON: of both forms, of halves of pairs in either order, of no characters.
  private static let escapes: [[UInt8]] = [
    "\\u00e9", "e\\u0301", "\\u212A", "\\uD800", "\\uDC00", "\\uD83D\\uDE00", "\\uDE00\\uD83D", "\\ufffe", "\\uFDD0",
    "\\u0301", "\\u002e", "\\u0022",
  ].map { Array($0.utf8) }
  /// Noncharacters, and ill-formed UTF-8: overlong, surrogates, beyond the last, cut off, without a beginning.
  private static let illFormed: [[UInt8]] = [
    [0xEF, 0xB7, 0x90], [0xEF, 0xBF, 0xBE], [0xF0, 0x9F, 0xBF, 0xBF], [0xF4, 0x8F, 0xBF, 0xBF], [0xC0, 0x80],
    [0xC1, 0xBF],
    [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xED, 0xB0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF8], [0xE2, 0x82],
    [0xF0, 0x9F, 0x98], [0x80], [0xCC], [0xFF], [0xFE],
  ]
  private static let exotic = marks + escapes + illFormed

  init(seed: UInt64, corpus: [[UInt8]]) {
    random = SeededRandom(seed)
    pool = corpus.isEmpty ? [[]] : corpus
  }

  /// Makes the next input. Now and then one stays in the pool, so that changes add up.
  mutating func next() -> [UInt8] {
    var bytes = pool.randomElement(using: &random) ?? []
    for _ in 0..<(1 << Int.random(in: 0...4, using: &random)) { change(&bytes) }
    if bytes.count > Self.maximumSize { bytes.removeLast(bytes.count - Self.maximumSize) }
    if Int.random(in: 0..<64, using: &random) == 0 { keep(bytes) }
    return bytes
  }

  private mutating func keep(_ bytes: [UInt8]) {
    if pool.count < 256 {
      pool.append(bytes)
    } else if let index = pool.indices.dropFirst(32).randomElement(using: &random) {
      pool[index] = bytes
    }
  }

  private mutating func change(_ bytes: inout [UInt8]) {
    let range = piece(of: bytes)
    switch Int.random(in: 0..<11, using: &random) {
    case 0: bytes.replaceSubrange(range, with: [UInt8.random(in: 0...255, using: &random)])
    case 1: bytes.removeSubrange(range)
    case 2: bytes.insert(contentsOf: bytes[range], at: range.lowerBound)
    case 3: bytes.insert(contentsOf: Self.tokens.randomElement(using: &random) ?? [], at: range.lowerBound)
    case 4: bytes.replaceSubrange(range, with: Self.tokens.randomElement(using: &random) ?? [])
    case 5:
      let other = pool.randomElement(using: &random) ?? []
      bytes.replaceSubrange(range, with: other[piece(of: other)])
    case 6:
      if let index = bytes.indices.randomElement(using: &random) {
        bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
    case 7: replaceByEquivalent(&bytes)
    case 8: bytes.insert(contentsOf: Self.exotic.randomElement(using: &random) ?? [], at: range.lowerBound)
    case 9:
      // Beside the text itself: two keys of one object, two users of one list.
      let group = Self.equivalent.randomElement(using: &random) ?? []
      for text in group {
        bytes.insert(contentsOf: [UInt8(ascii: "\"")] + text + Array("\":1,".utf8), at: range.lowerBound)
      }
    default:
      if let index = bytes.indices.randomElement(using: &random) {
        bytes[index] = UInt8.random(in: 32..<127, using: &random)
      }
    }
  }

  /// Puts an equivalent text in the place of one, at the first place after a random one.
  private mutating func replaceByEquivalent(_ bytes: inout [UInt8]) {
    let start = Int.random(in: 0...bytes.count, using: &random)
    let groups = Self.equivalent.shuffled(using: &random)
    for place in start..<bytes.count {
      for group in groups {
        guard let found = group.first(where: { bytes[place...].starts(with: $0) }) else { continue }
        let other = group.randomElement(using: &random) ?? found
        bytes.replaceSubrange(place..<(place + found.count), with: other)
        return
      }
    }
  }

  /// Short pieces are likelier than long ones.
  private mutating func piece(of bytes: [UInt8]) -> Range<Int> {
    let start = Int.random(in: 0...bytes.count, using: &random)
    let length = Int.random(in: 0...(1 << Int.random(in: 0...7, using: &random)), using: &random)
    return start..<min(bytes.count, start + length)
  }
}
