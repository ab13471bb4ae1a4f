import MatrixPrimitives

/// One of the server's Ed25519 signing keys.
public struct SigningKey: Sendable, Hashable {
  /// The key's id with its algorithm, as in `ed25519:a_abcd`.
  public let keyID: Text
  /// The 32 bytes from which the key pair is derived.
  public let seed: [UInt8]

  /// Makes a key; nil unless the seed has 32 bytes and the version is made of letters, digits and underscores.
  public init?(version: Text, seed: [UInt8]) {
    guard seed.count == 32, !version.isEmpty,
      version.utf8.allSatisfy(Self.isVersionCharacter)
    else { return nil }
    keyID = "ed25519:\(version)"
    self.seed = seed
  }

  private static func isVersionCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// Parses one line of a signing key file, `ed25519 <version> <unpadded base64 of the seed>`; nil when it is none.
  public init?(line: Text) {
    let parts = line.words
    guard parts.count == 3, parts[0] == "ed25519", let seed = UnpaddedBase64.decode(parts[2]) else {
      return nil
    }
    self.init(version: parts[1], seed: seed)
  }

  /// Makes a new random key with a version of the form `a_XXXX`.
  public static func generate() -> SigningKey {
    var generator = SystemRandomNumberGenerator()
    let seed = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
    return SigningKey(keyID: "ed25519:a_" + RandomString.letters(4), seed: seed)
  }

  private init(keyID: Text, seed: [UInt8]) {
    self.keyID = keyID
    self.seed = seed
  }

  /// The line of a signing key file, without a line break.
  public var line: Text { "ed25519 \(keyID.dropFirst("ed25519:".utf8.count)) \(UnpaddedBase64.encode(seed))" }
}
