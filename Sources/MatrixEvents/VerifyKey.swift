import Crypto
import MatrixPrimitives

/// One of a server's public keys as the server or a notary published it.
///
/// Source: the server-server API's "Publishing keys" and the section "Signing key validity period" of room version 5.
public struct VerifyKey: Sendable {
  /// The server the key belongs to.
  public let serverName: Text
  /// The key's id, such as `ed25519:a_abcd`.
  public let keyID: Text
  /// The key.
  public let publicKey: Curve25519.Signing.PublicKey
  /// The time until which the key may be trusted, in milliseconds since 1970: `valid_until_ts`, or `expired_ts` of an
  /// old key.
  public let validUntilTS: Int64
  /// Whether the key came out of `old_verify_keys`.
  public let isExpired: Bool

  /// The limit on how far ahead of now a server's own word about its keys is believed: seven days, in milliseconds.
  public static let maximumTrust: Int64 = 7 * 24 * 3600 * 1000

  /// Makes a key.
  /// - Parameters:
  ///   - serverName: the server the key belongs to.
  ///   - keyID: `ed25519:` and the key's version.
  ///   - publicKey: the key.
  ///   - validUntilTS: `valid_until_ts`, or `expired_ts` of an old key; milliseconds since 1970.
  ///   - isExpired: whether it is an old key.
  public init(
    serverName: Text, keyID: Text, publicKey: Curve25519.Signing.PublicKey, validUntilTS: Int64,
    isExpired: Bool = false
  ) {
    self.serverName = serverName
    self.keyID = keyID
    self.publicKey = publicKey
    self.validUntilTS = validUntilTS
    self.isExpired = isExpired
  }

  /// Returns whether a signature of this key counts on an event.
  ///
  /// Up to room version 4 every key counts indefinitely, which is how a key that leaked long ago can still forge history there.
  /// - Parameters:
  ///   - event: the event.
  ///   - now: the time in milliseconds since 1970.
  public func isValid(for event: Event, now: Int64) -> Bool {
    guard event.version.enforcesKeyValidity else { return true }
    let (limit, overflowed) = now.addingReportingOverflow(Self.maximumTrust)
    let until = isExpired || overflowed ? validUntilTS : min(validUntilTS, limit)
    return event.originServerTS <= until
  }
}
