import Crypto
import MatrixPrimitives

/// The signing of JSON and events with one of a server's Ed25519 keys.
public struct EventSigner: Sendable {
  /// The server the signatures are filed under.
  public let serverName: Text
  /// The key's id, such as `ed25519:a_abcd`.
  public let keyID: Text
  private let privateKey: Curve25519.Signing.PrivateKey

  /// Creates a signer.
  /// - Parameters:
  ///   - serverName: the server the key belongs to.
  ///   - keyID: `ed25519:` and the key's version.
  ///   - privateKey: the key.
  public init(serverName: Text, keyID: Text, privateKey: Curve25519.Signing.PrivateKey) {
    self.serverName = serverName
    self.keyID = keyID
    self.privateKey = privateKey
  }

  /// The public key in unpadded base64.
  public var publicKey: Text { UnpaddedBase64.encode(Array(privateKey.publicKey.rawRepresentation)) }

  /// Signs bytes; gives the signature in unpadded base64.
  public func signature(over bytes: [UInt8]) throws(EventError) -> Text {
    do {
      return UnpaddedBase64.encode(Array(try privateKey.signature(for: bytes)))
    } catch {
      throw EventError(.badSignature, "Signing failed: \(error)")
    }
  }

  /// Signs an existing event, such as an invite another server asks to have signed; the redacted form is covered.
  /// - Returns: the signature in unpadded base64, to be put under the server's name and `keyID`.
  /// - Throws: `EventError` if the event has no canonical form.
  public func signature(ofEvent event: JSONValue, version: RoomVersion) throws(EventError) -> Text {
    try signature(over: try Redaction.signedBytes(of: event, version: version))
  }

  /// Adds a signature to an object's `signatures`; `signatures` and `unsigned` are not covered.
  /// - Returns: the object with all signatures it had and the new one.
  /// - Throws: `EventError` if the object has no canonical form.
  public func sign(_ json: JSON) throws(EventError) -> JSON {
    guard var members = json.members else { throw EventError(.malformed, "Only JSON objects can be signed.") }
    var signatures = members["signatures"]?.members ?? [:]
    var own = signatures[serverName]?.members ?? [:]
    var covered = members
    covered["signatures"] = nil
    covered["unsigned"] = nil
    do {
      own[keyID] = .string(try signature(over: try CanonicalJSON.encode(.object(covered))))
    } catch let error as JSONError {
      throw EventError(error)
    } catch let error as EventError {
      throw error
    } catch {
      throw EventError(.badSignature, "Signing failed: \(error)")
    }
    signatures[serverName] = .object(own)
    members["signatures"] = .object(signatures)
    return .object(members)
  }
}
