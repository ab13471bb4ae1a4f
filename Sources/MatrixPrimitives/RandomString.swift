/// Unguessable strings from the system's random source.
public enum RandomString {
  private static let lettersAlphabet: StaticString = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
  private static let alphanumericAlphabet: StaticString =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

  /// Makes a string of ASCII letters, of either case.
  /// - Parameter count: how many, 0 or more.
  public static func letters(_ count: Int) -> Text {
    make(count, from: lettersAlphabet)
  }

  /// Makes a string of ASCII letters and digits.
  /// - Parameter count: how many, 0 or more.
  public static func alphanumeric(_ count: Int) -> Text {
    make(count, from: alphanumericAlphabet)
  }

  private static func make(_ count: Int, from alphabet: StaticString) -> Text {
    var generator = SystemRandomNumberGenerator()
    let bytes = (0..<max(0, count)).map { _ in
      alphabet.utf8Start[Int.random(in: 0..<alphabet.utf8CodeUnitCount, using: &generator)]
    }
    return Text(decoding: bytes, as: UTF8.self)
  }
}
