import MatrixPrimitives

/// The generator of access and refresh tokens in Synapse's form, `syt_<base64 localpart>_<20 letters>_<base62 CRC-32>`.
///
/// The localpart inside lets a reverse proxy route by user without asking anybody (observed on Synapse's wire; the
/// generated nginx configuration relies on it). The token stays opaque to everything else.
public enum TokenGenerator {
  /// Makes an access token for a user.
  public static func accessToken(for user: UserID) -> Text { make(prefix: "syt", user: user) }

  /// Makes a refresh token for a user.
  public static func refreshToken(for user: UserID) -> Text { make(prefix: "syr", user: user) }

  /// Makes a token for one login, `syl_<20 letters>_<base62 CRC-32>`.
  public static func loginToken() -> Text {
    let base = "syl_\(RandomString.letters(20))"
    return base + "_" + base62(CRC32.checksum(base.utf8), minimumWidth: 6)
  }

  /// Makes a device ID of ten upper-case letters.
  public static func deviceID() -> Text { RandomString.letters(10).asciiUppercased }

  private static func make(prefix: Text, user: UserID) -> Text {
    let localpart = UnpaddedBase64.encode(Array(user.localpart.utf8))
    let base = "\(prefix)_\(localpart)_\(RandomString.letters(20))"
    return base + "_" + base62(CRC32.checksum(base.utf8), minimumWidth: 6)
  }

  /// Writes a number in base 62 (digits, upper case, lower case), padded with zeros on the left.
  static func base62(_ number: UInt32, minimumWidth: Int) -> Text {
    let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    var digits: [UInt8] = []
    var rest = number
    while rest > 0 {
      digits.append(alphabet[Int(rest % 62)])
      rest /= 62
    }
    while digits.count < minimumWidth { digits.append(alphabet[0]) }
    return Text(decoding: digits.reversed(), as: UTF8.self)
  }
}

/// The CRC-32 of IEEE 802.3, which ends every token so that a leaked one can be recognised by scanners.
enum CRC32 {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1 }
  }

  static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(~UInt32(0)) { crc, byte in (crc >> 8) ^ table[Int((crc ^ UInt32(byte)) & 0xFF)] }
  }
}
