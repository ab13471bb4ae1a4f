import MatrixPrimitives

/// What a server remembers about an event beside the event itself: column `event_json.internal_metadata`.
///
/// Flags are written only when they say something; `recheck_redaction` is three-valued, because Synapse writes it as
/// `false` for redactions that it has checked. Members of other versions are dropped, as Synapse drops them.
public struct EventMetadata: Sendable, Hashable {
  /// Whether this is an invite or a leave of a room that the server is not in.
  public var outOfBandMembership = false
  /// The server on whose behalf the event was sent; nil for the sender's own.
  public var sendOnBehalfOf: Text?
  /// Whether the redaction's sender must still be compared with the redacted event's; nil for other events.
  public var recheckRedaction: Bool?
  /// Whether the event is kept, but not shown and not built upon.
  public var softFailed = false
  /// Whether the event is to be sent to other servers; nil means yes.
  public var proactivelySend: Bool?
  /// Whether a policy server called the event spam.
  public var policyServerSpammy: Bool?
  /// Whether a spam checker called the event spam.
  public var spamCheckerSpammy: Bool?
  /// Whether the stored JSON is the redacted form.
  public var redacted = false
  /// The transaction id that the client gave.
  public var txnID: Text?
  /// The id of the delayed event from which this one came.
  public var delayID: Text?
  /// The id of the access token that sent it, as older versions recorded it.
  public var tokenID: Int64?
  /// The device that sent it.
  public var deviceID: Text?
  /// Auth events that were worked out rather than stated.
  public var calculatedAuthEventIDs: [Text]?

  /// Makes the metadata of an event about which nothing is remembered.
  public init() {}

  /// Reads the object; members of a wrong type count as absent.
  public init(json: JSONValue) {
    outOfBandMembership = json["out_of_band_membership"]?.bool ?? false
    sendOnBehalfOf = json["send_on_behalf_of"]?.string
    recheckRedaction = json["recheck_redaction"]?.bool
    softFailed = json["soft_failed"]?.bool ?? false
    proactivelySend = json["proactively_send"]?.bool
    policyServerSpammy = json["policy_server_spammy"]?.bool
    spamCheckerSpammy = json["spam_checker_spammy"]?.bool
    redacted = json["redacted"]?.bool ?? false
    txnID = json["txn_id"]?.string
    delayID = json["delay_id"]?.string
    tokenID = json["token_id"]?.integer
    deviceID = json["device_id"]?.string
    calculatedAuthEventIDs = json["calculated_auth_event_ids"]?.elements?.compactMap(\.string)
  }

  /// Writes the object.
  public func write(to writer: inout JSONWriter) {
    writer.beginObject()
    if outOfBandMembership { writer.member("out_of_band_membership", true) }
    if let sendOnBehalfOf { writer.member("send_on_behalf_of", sendOnBehalfOf) }
    if let recheckRedaction { writer.member("recheck_redaction", recheckRedaction) }
    if softFailed { writer.member("soft_failed", true) }
    if let proactivelySend { writer.member("proactively_send", proactivelySend) }
    if let policyServerSpammy { writer.member("policy_server_spammy", policyServerSpammy) }
    if let spamCheckerSpammy { writer.member("spam_checker_spammy", spamCheckerSpammy) }
    if redacted { writer.member("redacted", true) }
    if let txnID { writer.member("txn_id", txnID) }
    if let delayID { writer.member("delay_id", delayID) }
    if let tokenID { writer.member("token_id", tokenID) }
    if let deviceID { writer.member("device_id", deviceID) }
    if let calculatedAuthEventIDs {
      writer.member("calculated_auth_event_ids", JSON.array(calculatedAuthEventIDs.map { .string($0) }))
    }
    writer.endObject()
  }

  /// The object as text, ready for the column.
  public var encoded: Text {
    var writer = JSONWriter(capacity: 96)
    write(to: &writer)
    return Text(decoding: writer.bytes, as: UTF8.self)
  }
}
