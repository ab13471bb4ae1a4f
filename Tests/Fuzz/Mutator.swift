import SeededNumbers

/// Makes inputs out of a few good ones, the same for the same seed.
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
    switch Int.random(in: 0..<8, using: &random) {
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
    default:
      if let index = bytes.indices.randomElement(using: &random) {
        bytes[index] = UInt8.random(in: 32..<127, using: &random)
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
