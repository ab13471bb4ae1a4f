/// Reads the sizes and durations of Synapse's configuration.
public enum Quantity {
  /// Reads a number of bytes: digits with an optional suffix K, M, G or T (powers of 1024). Nil when it is none.
  public static func bytes(_ text: String) -> Int64? {
    let factors: [Character: Int64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
    return scaled(text, factors)
  }

  /// Reads a duration as milliseconds: digits with an optional suffix s, m, h, d, w or y (365 days); without one the
  /// number is milliseconds. Nil when it is none.
  public static func milliseconds(_ text: String) -> Int64? {
    let day: Int64 = 86_400_000
    let factors: [Character: Int64] = [
      "s": 1000, "m": 60_000, "h": 3_600_000, "d": day, "w": 7 * day, "y": 365 * day,
    ]
    return scaled(text, factors)
  }

  private static func scaled(_ text: String, _ factors: [Character: Int64]) -> Int64? {
    guard let last = text.last else { return nil }
    let factor = factors[last]
    let digits = factor == nil ? Substring(text) : text.dropLast()
    // Python's int() also takes blanks round the digits and underscores between them.
    let plain = digits.filter { $0 != "_" }.trimmingPrefix { $0.isWhitespace }
    guard let number = Int64(plain.last?.isWhitespace == true ? plain.prefix { !$0.isWhitespace } : plain) else {
      return nil
    }
    let (result, overflow) = number.multipliedReportingOverflow(by: factor ?? 1)
    return overflow ? nil : result
  }
}
