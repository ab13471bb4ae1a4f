/// Texts of the length that people write, the same for the same seed.
enum Words {
  private static let all = [
    "river", "morning", "the", "quickly", "and", "lantern", "over", "seventeen", "a", "harbour", "under", "paper",
    "blue", "with", "of", "window", "music", "slow", "between", "garden", "for", "winter", "stone", "again",
  ]

  /// Returns four to nineteen words.
  static func text(seed: Int) -> String {
    var state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 | 1
    var words: [String] = []
    for _ in 0..<(4 + Int(state >> 60)) {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      words.append(all[Int((state >> 33) % UInt64(all.count))])
    }
    return words.joined(separator: " ")
  }
}
