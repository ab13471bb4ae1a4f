import Crypto
import Foundation
import MatrixPrimitives
import ServerConfig
import Testing

@testable import AccountServices

/// Tokens that another service has signed.
@Suite struct JSONWebTokenTests {
  private static func encoded(_ bytes: [UInt8]) -> Text { UnpaddedBase64.encodeURLSafe(bytes) }

  private static func token(_ algorithm: Text, _ claims: JSON, sign: ([UInt8]) throws -> [UInt8]) rethrows -> Text {
    let header: JSON = ["alg": .string(algorithm)]
    let signed = "\(encoded(header.encoded)).\(encoded(claims.encoded))"
    return "\(signed).\(encoded(try sign(Array(signed.utf8))))"
  }

  private static func checker(_ algorithm: Text, _ secret: Text) throws -> JSONWebTokenChecker {
    let pem = secret.split(separator: UInt8(ascii: "\n")).joined(separator: "\\n")
    let text = "jwt_config: {enabled: true, algorithm: \(algorithm), secret: \"\(pem)\"}"
    let base = """
      server_name: test
      database: {name: psycopg2, args: {}}
      macaroon_secret_key: secret
      signing_key: "ed25519 a_1 \(UnpaddedBase64.encode([UInt8](repeating: 7, count: 32)))"

      """
    let config = try HomeserverConfig.parse([("a.yaml", Array((base + text).utf8))], role: .homeserver).0
    return JSONWebTokenChecker(try #require(config.jwt))
  }

  @Test func eachAlgorithmChecksItsSignatures() throws {
    let (p256, p384, p521) = (P256.Signing.PrivateKey(), P384.Signing.PrivateKey(), P521.Signing.PrivateKey())
    let ed = Curve25519.Signing.PrivateKey()
    let envelope =
      Data([0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]) + ed.publicKey.rawRepresentation
    let edPEM = "-----BEGIN PUBLIC KEY-----\n\(Text(envelope.base64EncodedString()))\n-----END PUBLIC KEY-----"
    let key = SymmetricKey(data: Array("shared".utf8))
    let cases: [(Text, Text, ([UInt8]) throws -> [UInt8])] = [
      ("HS256", "shared", { Array(HMAC<SHA256>.authenticationCode(for: $0, using: key)) }),
      ("HS384", "shared", { Array(HMAC<SHA384>.authenticationCode(for: $0, using: key)) }),
      ("HS512", "shared", { Array(HMAC<SHA512>.authenticationCode(for: $0, using: key)) }),
      ("ES256", Text(p256.publicKey.pemRepresentation), { Array(try p256.signature(for: $0).rawRepresentation) }),
      ("ES384", Text(p384.publicKey.pemRepresentation), { Array(try p384.signature(for: $0).rawRepresentation) }),
      ("ES512", Text(p521.publicKey.pemRepresentation), { Array(try p521.signature(for: $0).rawRepresentation) }),
      ("EdDSA", edPEM, { Array(try ed.signature(for: $0)) }),
    ]
    for (algorithm, secret, sign) in cases {
      let checker = try Self.checker(algorithm, secret)
      let good = try Self.token(algorithm, ["sub": "alice"], sign: sign)
      #expect(try checker.check(good, nowMilliseconds: 0).localpart == "alice", "\(algorithm)")
      let other = try Self.token(algorithm, ["sub": "bob"], sign: sign)
      let mixed = [other.split(separator: 46)[0], other.split(separator: 46)[1], good.split(separator: 46)[2]]
      #expect(throws: MatrixError.self) { try checker.check(mixed.joined(separator: "."), nowMilliseconds: 0) }
    }
    // A public key is no shared secret.
    let pem = Text(p256.publicKey.pemRepresentation)
    let forged = Self.token("HS256", ["sub": "alice"]) {
      Array(HMAC<SHA256>.authenticationCode(for: $0, using: SymmetricKey(data: Array(pem.utf8))))
    }
    #expect(throws: MatrixError.self) { try Self.checker("ES256", pem).check(forged, nowMilliseconds: 0) }
  }
}
