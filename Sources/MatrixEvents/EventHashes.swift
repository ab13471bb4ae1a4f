import Crypto
import MatrixPrimitives

/// The hash over an event's full content, by which a redaction on the way is noticed.
public enum ContentHash {
  /// Computes the SHA-256 of the canonical event without `hashes`, `signatures` and `unsigned`, in unpadded base64.
  public static func compute(_ event: JSONValue, version: RoomVersion) throws(EventError) -> Text {
    do {
      let bytes = try CanonicalJSON.encode(
        event, omitting: ["hashes", "signatures", "unsigned"], strict: version.isCanonicalJSONStrict)
      return UnpaddedBase64.encode(Array(SHA256.hash(data: bytes)))
    } catch {
      throw EventError(error)
    }
  }

  /// Returns whether the event carries the hash of its own content.
  public static func matches(_ event: JSONValue, version: RoomVersion) throws(EventError) -> Bool {
    guard let claimed = event["hashes"]?["sha256"]?.string, let bytes = UnpaddedBase64.decode(claimed) else {
      return false
    }
    return UnpaddedBase64.decode(try compute(event, version: version)) == bytes
  }
}

/// The hash that is an event's id from room version 3 on: it covers only what redaction keeps.
public enum ReferenceHash {
  /// Computes the SHA-256 of the redacted canonical event without `signatures` and `unsigned`.
  public static func compute(_ event: JSONValue, version: RoomVersion) throws(EventError) -> [UInt8] {
    Array(SHA256.hash(data: try Redaction.signedBytes(of: event, version: version)))
  }

  /// Computes the event id of versions 3 and later.
  /// - Throws: `EventError` in versions 1 and 2, whose ids are chosen.
  public static func eventID(of event: JSONValue, version: RoomVersion) throws(EventError) -> EventID {
    try eventID(signedBytes: try Redaction.signedBytes(of: event, version: version), version: version)
  }

  static func eventID(signedBytes: [UInt8], version: RoomVersion) throws(EventError) -> EventID {
    let hash = Array(SHA256.hash(data: signedBytes))
    switch version.eventIDFormat {
    case .chosen: throw EventError(.unsupported, "Room version \(version) has no event ids made from hashes.")
    case .hash: return EventID(unchecked: "$" + UnpaddedBase64.encode(hash))
    case .urlSafeHash: return EventID(unchecked: "$" + UnpaddedBase64.encodeURLSafe(hash))
    }
  }
}
