import Crypto
import MatrixPrimitives

/// The checks of what an event from another server proves by itself: who signed it and whether its content is whole.
///
/// Source: the server-server API's "Checks performed on receipt of a PDU", steps 2 and 3. Step 1 is `Event.parse`, the others are `AuthRules`.
public enum EventVerification {
  /// Checks that every server that has to has signed the event: see `AuthRules.requiredSigners`.
  /// - Parameters:
  ///   - event: the event.
  ///   - keys: the known keys of those servers, in any order; keys of other servers do not matter.
  ///   - now: the time in milliseconds since 1970, by which far-fetched validity is cut.
  /// - Throws: `EventError` with `badSignature` naming the first server without a good signature.
  public static func checkSignatures(of event: Event, keys: [VerifyKey], now: Int64) throws(EventError) {
    for server in AuthRules.requiredSigners(of: event) {
      guard try isSigned(event, by: server, keys: keys, now: now) else {
        throw EventError(.badSignature, "Event \(event.eventID) has no good signature of \(server).")
      }
    }
  }

  /// Checks signatures and content hash, and gives the event in the form it may be used in.
  ///
  /// An event whose content was changed on its way is still an event: only what redaction keeps of it is signed and counts.
  /// - Returns: the event, or its redacted form if the content hash does not fit.
  /// - Throws: `EventError` with `badSignature`, see `checkSignatures`.
  public static func verified(_ event: Event, keys: [VerifyKey], now: Int64) throws(EventError) -> Event {
    try checkSignatures(of: event, keys: keys, now: now)
    return try ContentHash.matches(event.json, version: event.version) ? event : event.redacted()
  }

  /// Returns whether one signature is good, which is enough; a server that is changing keys may have signed with
  /// several.
  private static func isSigned(
    _ event: Event, by server: Text, keys: [VerifyKey], now: Int64
  ) throws(EventError) -> Bool {
    let signedWith = Signatures.keyIDs(in: event.json, serverName: server)
    guard !signedWith.isEmpty else { return false }
    let bytes = try Redaction.signedBytes(of: event.json, version: event.version)
    return keys.contains { key in
      key.serverName == server && key.isValid(for: event, now: now)
        && signedWith.contains { $0 == key.keyID }
        && Signatures.isGood(in: event.json, over: bytes, key: key)
    }
  }
}
