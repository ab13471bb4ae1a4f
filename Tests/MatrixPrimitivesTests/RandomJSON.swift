import MatrixPrimitives
import SeededNumbers

/// Random trees of JSON for round-trip tests.
enum RandomJSON {
  static func value(_ random: inout SeededRandom, depth: Int = 4) -> JSON {
    switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &random) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &random))
    case 2: return .integer(Int64.random(in: -9_007_199_254_740_991...9_007_199_254_740_991, using: &random))
    case 3: return .integer(Int64.random(in: -20...20, using: &random))
    case 4: return .string(string(&random))
    case 5: return .array((0..<Int.random(in: 0...4, using: &random)).map { _ in value(&random, depth: depth - 1) })
    default:
      var members: [Text: JSON] = [:]
      for _ in 0..<Int.random(in: 0...5, using: &random) {
        members[string(&random)] = value(&random, depth: depth - 1)
      }
      return .object(members)
    }
  }

  /// Mixes plain letters with everything that needs care: quotes, backslashes, control characters, long and astral characters.
  static func string(_ random: inout SeededRandom) -> Text {
    let special: [Unicode.Scalar] = [
      "\"", "\\", "/", "\u{0}", "\u{8}", "\u{9}", "\u{A}", "\u{C}", "\u{D}", "\u{1F}", "\u{7F}", "é", "日", "😀",
      "\u{FFFF}",
      "\u{10FFFF}",
    ]
    var text = ""
    for _ in 0..<Int.random(in: 0...24, using: &random) {
      if Int.random(in: 0..<5, using: &random) == 0 {
        text.append(Text(special.randomElement(using: &random) ?? "x"))
      } else {
        text.append(Text(Unicode.Scalar(UInt8.random(in: 97...122, using: &random))))
      }
    }
    return text
  }
}
