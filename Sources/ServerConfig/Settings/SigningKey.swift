import MatrixPrimitives

/// Holds one of the server's Ed25519 signing keys.
public struct SigningKey: Sendable, Hashable {
  /// Names the key with its algorithm, as in `ed25519:a_abcd`.
  public let keyID: String
  /// Holds the 32 bytes from which the key pair is derived.
  public let seed: [UInt8]

  /// Makes a key; nil unless the seed has 32 bytes and the version is made of letters, digits and underscores.
  public init?(version: String, seed: [UInt8]) {
    guard seed.count == 32, !version.isEmpty,
      version.allSatisfy({ $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber) })
    else { return nil }
    keyID = "ed25519:\(version)"
    self.seed = seed
  }

  /// Parses one line of a signing key file, `ed25519 <version> <unpadded base64 of the seed>`; nil when it is none.
  public init?(line: String) {
    let parts = line.split(whereSeparator: \.isWhitespace)
    guard parts.count == 3, parts[0] == "ed25519", let seed = UnpaddedBase64.decode(String(parts[2])) else {
      return nil
    }
    self.init(version: String(parts[1]), seed: seed)
  }

  /// Makes a new random key with a version of the form `a_XXXX`.
  public static func generate() -> SigningKey {
    var generator = SystemRandomNumberGenerator()
    let seed = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
    return SigningKey(keyID: "ed25519:a_" + RandomString.letters(4), seed: seed)
  }

  private init(keyID: String, seed: [UInt8]) {
    self.keyID = keyID
    self.seed = seed
  }

  /// Renders the line of a signing key file, without a line break.
  public var line: String { "ed25519 \(keyID.dropFirst("ed25519:".count)) \(UnpaddedBase64.encode(seed))" }
}
