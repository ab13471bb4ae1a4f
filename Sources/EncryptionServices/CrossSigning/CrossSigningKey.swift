import Crypto
import MatrixEvents
import MatrixPrimitives
import Stores

/// A cross-signing key whose public key can be read.
///
/// https://spec.matrix.org/v1.16/client-server-api/#key-and-signature-security
struct CrossSigningKey {
  /// The key as it was uploaded.
  let value: JSONValue
  /// The public key in base64, which is also the key's name among the user's devices.
  let name: Text
  /// `ed25519:` and the name.
  let id: Text
  /// The public key.
  let publicKey: Curve25519.Signing.PublicKey

  /// Reads the public key; nil unless there is exactly one, an Ed25519 key under its own name.
  init?(_ value: JSONValue) {
    guard let members = value["keys"]?.members, members.count == 1,
      let (id, encoded) = members.first(where: { _ in true }), let name = encoded.string, id == "ed25519:\(name)",
      let key = Self.publicKey(name)
    else { return nil }
    self.value = value
    self.name = name
    self.id = id
    publicKey = key
  }

  /// Reads an Ed25519 key from base64; nil when it is none.
  static func publicKey(_ base64: Text) -> Curve25519.Signing.PublicKey? {
    guard let bytes = UnpaddedBase64.decode(base64), bytes.count == 32 else { return nil }
    // Of 32 bytes every one is taken, so that this cannot fail.
    return try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
  }

  /// Checks a key that a user uploads.
  ///
  /// - Parameter master: the key by which it must be signed; nil for the master key.
  /// - Throws: `MatrixError` 400 `M_INVALID_PARAM` for a key of another form, user or usage, `M_INVALID_SIGNATURE` when it is not signed.
  static func check(
    _ value: JSONValue, _ usage: UserKeys.Usage, of user: UserID, signedBy master: CrossSigningKey?
  ) throws(MatrixError) -> CrossSigningKey {
    guard value["user_id"]?.isString(user.rawValue) == true,
      value["usage"]?.elements?.contains(where: { $0.isString(usage.rawValue) }) == true,
      let key = CrossSigningKey(value)
    else { throw .invalidParam("Invalid \(usage.rawValue) key") }
    if let master, !master.hasSigned(value, of: user) {
      throw MatrixError(.invalidSignature, "Invalid signature on \(usage.rawValue) key")
    }
    return key
  }

  /// Returns whether an object has a good signature of this key.
  ///
  /// - Parameter signer: the owner of this key.
  func hasSigned(_ value: JSONValue, of signer: UserID) -> Bool {
    Self.isSigned(value, by: signer, keyID: id, publicKey)
  }

  /// Returns whether an object has a good signature of a key.
  static func isSigned(
    _ value: JSONValue, by signer: UserID, keyID: Text, _ key: Curve25519.Signing.PublicKey
  ) -> Bool {
    do {
      try Signatures.verify(value, serverName: signer.rawValue, keyID: keyID, publicKey: key)
      return true
    } catch {
      return false
    }
  }
}
