import Crypto
import MatrixPrimitives

/// The checks of Ed25519 signatures of JSON objects and events.
public enum Signatures {
  /// Checks one signature of an object.
  /// - Parameters:
  ///   - value: the object, with its `signatures`.
  ///   - serverName: the entity whose signature is looked for.
  ///   - keyID: the key's id, such as `ed25519:1`.
  ///   - publicKey: the key's 32 bytes.
  /// - Throws: `EventError` with `badSignature` if it is missing or wrong.
  public static func verify(
    _ value: JSONValue, serverName: Text, keyID: Text, publicKey: Curve25519.Signing.PublicKey
  ) throws(EventError) {
    let signature = try find(in: value, serverName: serverName, keyID: keyID)
    let bytes: [UInt8]
    do {
      bytes = try CanonicalJSON.encode(value, omitting: ["signatures", "unsigned"], strict: false)
    } catch {
      throw EventError(error)
    }
    try check(signature, over: bytes, publicKey: publicKey, serverName: serverName, keyID: keyID)
  }

  /// Checks one signature of an event, which covers the event's redacted form.
  /// - Throws: `EventError` with `badSignature` if it is missing or wrong.
  public static func verify(
    event: JSONValue, version: RoomVersion, serverName: Text, keyID: Text,
    publicKey: Curve25519.Signing.PublicKey
  ) throws(EventError) {
    let signature = try find(in: event, serverName: serverName, keyID: keyID)
    let bytes = try Redaction.signedBytes(of: event, version: version)
    try check(signature, over: bytes, publicKey: publicKey, serverName: serverName, keyID: keyID)
  }

  /// Lists the ids of the Ed25519 keys an entity has signed an object with.
  public static func keyIDs(in value: JSONValue, serverName: Text) -> [Text] {
    guard let members = value["signatures"]?[serverName]?.members else { return [] }
    return members.compactMap { $0.key.utf8.starts(with: "ed25519:".utf8) ? $0.key : nil }
  }

  /// Lists the entities that have a signature on an object.
  public static func signers(of value: JSONValue) -> [Text] {
    value["signatures"]?.members?.map(\.key) ?? []
  }

  /// Returns whether a key's signature in an object's `signatures` covers these bytes.
  static func isGood(in value: JSONValue, over bytes: [UInt8], key: VerifyKey) -> Bool {
    do {
      let signature = try find(in: value, serverName: key.serverName, keyID: key.keyID)
      return key.publicKey.isValidSignature(signature, for: bytes)
    } catch {
      return false
    }
  }

  private static func find(
    in value: JSONValue, serverName: Text, keyID: Text
  ) throws(EventError) -> [UInt8] {
    guard let text = value["signatures"]?[serverName]?[keyID]?.string else {
      throw EventError(.badSignature, "There is no signature of \(serverName) with key \(keyID).")
    }
    guard let signature = UnpaddedBase64.decode(text), signature.count == 64 else {
      throw EventError(.badSignature, "The signature of \(serverName) with key \(keyID) is not 64 bytes of base64.")
    }
    return signature
  }

  private static func check(
    _ signature: [UInt8], over bytes: [UInt8], publicKey: Curve25519.Signing.PublicKey, serverName: Text,
    keyID: Text
  ) throws(EventError) {
    guard publicKey.isValidSignature(signature, for: bytes) else {
      throw EventError(.badSignature, "The signature of \(serverName) with key \(keyID) is wrong.")
    }
  }
}
