import Crypto
import MatrixPrimitives

/// The check of an invite made from a third-party invite: the signed token must fit an invite that is in the room's
/// state.
enum ThirdPartyInvite {
  /// Returns whether `content.third_party_invite` of a membership event allows it.
  static func isValid(_ invite: JSONValue, event: Event, state: some AuthState) -> Bool {
    guard let signed = invite["signed"], signed.kind == .object,
      let user = signed["mxid"]?.string, let token = signed["token"]?.string,
      let stateKey = event.stateKey, user == stateKey,
      let pending = state.event(StateKey(EventType.thirdPartyInvite, token)), pending.sender == event.sender
    else { return false }
    return publicKeys(of: pending).contains { isSigned(signed, with: $0) }
  }

  private static func publicKeys(of pending: Event) -> [Curve25519.Signing.PublicKey] {
    var texts: [Text] = []
    if let key = pending.content["public_key"]?.string { texts.append(key) }
    if let keys = pending.content["public_keys"]?.elements {
      texts += keys.compactMap { $0["public_key"]?.string }
    }
    return texts.compactMap { text in
      // A key that is no key allows nothing; the others may.
      UnpaddedBase64.decode(text).flatMap { try? Curve25519.Signing.PublicKey(rawRepresentation: $0) }
    }
  }

  private static func isSigned(_ signed: JSONValue, with key: Curve25519.Signing.PublicKey) -> Bool {
    Signatures.signers(of: signed).contains { server in
      Signatures.keyIDs(in: signed, serverName: server).contains { keyID in
        do {
          try Signatures.verify(signed, serverName: server, keyID: keyID, publicKey: key)
          return true
        } catch {
          return false
        }
      }
    }
  }
}
