import MatrixPrimitives
import Replication

/// What a client receives when it is logged in.
///
/// As the answer to a call it is `{"device_id": "D", "access_token": "…", "valid_until_ms": 1|null, "refresh_token": "…"|null}`.
public struct NewSession: Sendable {
  /// The device, made for the session or chosen by the client.
  public let deviceID: Text
  /// The token that authenticates the requests of the session.
  public let accessToken: Text
  /// The end of the access token, in milliseconds since 1970; nil never.
  public let validUntilMilliseconds: Int64?
  /// The token that renews an expiring access token; nil unless asked for and configured.
  public let refreshToken: Text?
}

extension NewSession: ReplicationAnswer {
  /// Reads an answer.
  public init(answer: JSONValue) throws(MatrixError) {
    deviceID = try answer.requireString("device_id")
    accessToken = try answer.requireString("access_token")
    validUntilMilliseconds = try answer.optionalInteger("valid_until_ms")
    refreshToken = try answer.optionalString("refresh_token")
  }

  /// Writes the members of an answer.
  public func writeMembers(to writer: inout JSONWriter) {
    writer.member("device_id", deviceID)
    writer.member("access_token", accessToken)
    writer.member("valid_until_ms", validUntilMilliseconds.map(JSON.integer) ?? .null)
    writer.member("refresh_token", refreshToken.map(JSON.string) ?? .null)
  }
}
