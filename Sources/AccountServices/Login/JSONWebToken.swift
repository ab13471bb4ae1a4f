import Crypto
import FoundationEssentials
import MatrixPrimitives
import ServerConfig

/// The check of tokens that another service has signed (RFC 7519).
struct JSONWebTokenChecker: Sendable {
  /// The leeway of clocks, in seconds (as Synapse).
  private static let leeway: Double = 120

  private let settings: JWTSettings

  init(_ settings: JWTSettings) { self.settings = settings }

  /// Whom a token names.
  struct Subject {
    /// The localpart.
    let localpart: Text
    /// The name to show of a new user.
    let displayName: Text?
  }

  /// Checks signature and claims.
  ///
  /// - Throws: `MatrixError` 403.
  func check(_ token: Text, nowMilliseconds: Int64) throws(MatrixError) -> Subject {
    let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, token.utf8.count <= 65_536, let header = Self.json(parts[0]),
      let claims = Self.json(parts[1]), let signature = Self.bytes(parts[2])
    else { throw Self.failure("the token is malformed") }
    guard header["alg"]?.string == settings.algorithm else { throw Self.failure("unsupported algorithm") }
    guard isSigned(Array("\(parts[0]).\(parts[1])".utf8), signature) else {
      throw Self.failure("Signature verification failed")
    }
    try checkTimes(claims, now: Double(nowMilliseconds) / 1000)
    try checkParties(claims)
    guard let subject = claims[settings.subjectClaim] else { throw .forbidden("Invalid JWT") }
    guard let localpart = subject.string ?? subject.integer.map({ Text($0) }) else { throw .forbidden("Invalid JWT") }
    return Subject(localpart: localpart, displayName: settings.displayNameClaim.flatMap { claims[$0]?.string })
  }

  private static func failure(_ reason: Text) -> MatrixError { .forbidden("JWT validation failed: \(reason)") }

  private static func bytes(_ part: Text) -> [UInt8]? {
    let plain = Text(
      decoding: part.utf8.map {
        $0 == UInt8(ascii: "-") ? UInt8(ascii: "+") : $0 == UInt8(ascii: "_") ? UInt8(ascii: "/") : $0
      },
      as: UTF8.self)
    return UnpaddedBase64.decode(plain)
  }

  private static func json(_ part: Text) -> JSON? {
    // What is no JSON is refused by the caller.
    bytes(part).flatMap { try? JSON.parse($0) }.flatMap { $0.members == nil ? nil : $0 }
  }

  // MARK: Claims

  private func checkTimes(_ claims: JSON, now: Double) throws(MatrixError) {
    func moment(_ name: Text) throws(MatrixError) -> Double? {
      switch claims[name] {
      case nil, .null: return nil
      case .integer(let value): return Double(value)
      case .double(let value): return value
      default: throw Self.failure("invalid_claim: Invalid claim '\(name)'")
      }
    }
    if let end = try moment("exp"), end < now - Self.leeway {
      throw Self.failure("expired_token: The token is expired")
    }
    for name in ["nbf", "iat"] {
      if let start = try moment(name), start > now + Self.leeway {
        throw Self.failure("invalid_token: The token is not valid yet")
      }
    }
  }

  private func checkParties(_ claims: JSON) throws(MatrixError) {
    if let issuer = settings.issuer {
      guard let named = claims["iss"]?.string else { throw Self.failure("missing_claim: Missing 'iss' claim") }
      guard named == issuer else { throw Self.failure("invalid_claim: Invalid claim 'iss'") }
    }
    let audience: JSON? = claims["aud"].flatMap { $0.isNull ? nil : $0 }
    let named: [Text]
    if let one = audience?.string { named = [one] } else { named = audience?.elements?.compactMap(\.string) ?? [] }
    guard let audiences = settings.audiences, !audiences.isEmpty else {
      // A token that is meant for somebody is not meant for a server that is nobody.
      if audience != nil { throw Self.failure("invalid_claim: Invalid claim 'aud'") }
      return
    }
    guard audience != nil else { throw Self.failure("missing_claim: Missing 'aud' claim") }
    guard named.contains(where: audiences.contains) else { throw Self.failure("invalid_claim: Invalid claim 'aud'") }
  }

  // MARK: Signatures

  private func isSigned(_ message: [UInt8], _ signature: [UInt8]) -> Bool {
    let key = SymmetricKey(data: Array(settings.secret.utf8))
    switch settings.algorithm {
    case "HS256": return HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: message, using: key)
    case "HS384": return HMAC<SHA384>.isValidAuthenticationCode(signature, authenticating: message, using: key)
    case "HS512": return HMAC<SHA512>.isValidAuthenticationCode(signature, authenticating: message, using: key)
    default: return isSignedByKey(message, signature)
    }
  }

  private func isSignedByKey(_ message: [UInt8], _ signature: [UInt8]) -> Bool {
    let pem = settings.secret.string
    // A key or a signature that cannot be read signs nothing.
    switch settings.algorithm {
    case "ES256":
      guard let key = try? P256.Signing.PublicKey(pemRepresentation: pem),
        let value = try? P256.Signing.ECDSASignature(rawRepresentation: signature)
      else { return false }
      return key.isValidSignature(value, for: SHA256.hash(data: message))
    case "ES384":
      guard let key = try? P384.Signing.PublicKey(pemRepresentation: pem),
        let value = try? P384.Signing.ECDSASignature(rawRepresentation: signature)
      else { return false }
      return key.isValidSignature(value, for: SHA384.hash(data: message))
    case "ES512":
      guard let key = try? P521.Signing.PublicKey(pemRepresentation: pem),
        let value = try? P521.Signing.ECDSASignature(rawRepresentation: signature)
      else { return false }
      return key.isValidSignature(value, for: SHA512.hash(data: message))
    default:
      // The key is at the end of its envelope (RFC 8410).
      let lines = settings.secret.lines.filter { !$0.hasPrefix("-----") }.joined()
      guard let envelope = Data(base64Encoded: lines.string), envelope.count == 44,
        let key = try? Curve25519.Signing.PublicKey(rawRepresentation: envelope.suffix(32))
      else { return false }
      return key.isValidSignature(signature, for: message)
    }
  }
}
