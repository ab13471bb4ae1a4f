import ByteText

/// The sizes and durations of Synapse's configuration.
public enum Quantity {
  /// Reads a number of bytes: digits with an optional suffix K, M, G or T (powers of 1024). Nil when it is none.
  public static func bytes(_ text: Text) -> Int64? {
    let factors: [UInt8: Int64] = [
      UInt8(ascii: "K"): 1 << 10, UInt8(ascii: "M"): 1 << 20, UInt8(ascii: "G"): 1 << 30, UInt8(ascii: "T"): 1 << 40,
    ]
    return scaled(text, factors)
  }

  /// Reads a duration as milliseconds: digits with an optional suffix s, m, h, d, w or y (365 days); without one the
  /// number is milliseconds. Nil when it is none.
  public static func milliseconds(_ text: Text) -> Int64? {
    let day: Int64 = 86_400_000
    let factors: [UInt8: Int64] = [
      UInt8(ascii: "s"): 1000, UInt8(ascii: "m"): 60_000, UInt8(ascii: "h"): 3_600_000, UInt8(ascii: "d"): day,
      UInt8(ascii: "w"): 7 * day, UInt8(ascii: "y"): 365 * day,
    ]
    return scaled(text, factors)
  }

  private static func scaled(_ text: Text, _ factors: [UInt8: Int64]) -> Int64? {
    guard let last = text.utf8.last else { return nil }
    let factor = factors[last]
    let digits = factor == nil ? text : text.dropLast()
    // Python's int() also takes blanks round the digits and underscores between them.
    guard let number = Int64(Text(decoding: digits.utf8.filter { $0 != UInt8(ascii: "_") }, as: UTF8.self).trimmed)
    else {
      return nil
    }
    let (result, overflow) = number.multipliedReportingOverflow(by: factor ?? 1)
    return overflow ? nil : result
  }
}
