import MatrixPrimitives

/// The session that a registration has opened, as its session of interactive authentication remembers it: a client that did not
/// get the answer asks again and is given the same.
public struct KeptSession: Sendable {
  static let key = "registered_session"

  /// The device.
  public let deviceID: Text
  /// The token that authenticates the requests of the session.
  public let accessToken: Text
  /// The end of the access token, since 1970; nil never.
  public let validUntilMilliseconds: Int64?
  /// The token that renews the access token; nil for a session that cannot be refreshed.
  public let refreshToken: Text?

  init(deviceID: Text, tokens: NewTokens) {
    self.deviceID = deviceID
    accessToken = tokens.access
    validUntilMilliseconds = tokens.validUntilMilliseconds
    refreshToken = tokens.refresh
  }

  init?(json: JSON) {
    guard let device = json["device_id"]?.string, let token = json["access_token"]?.string else { return nil }
    deviceID = device
    accessToken = token
    validUntilMilliseconds = json["valid_until_ms"]?.integer
    refreshToken = json["refresh_token"]?.string
  }

  var json: JSON {
    [
      "device_id": .string(deviceID), "access_token": .string(accessToken),
      "valid_until_ms": validUntilMilliseconds.map(JSON.integer) ?? .null,
      "refresh_token": refreshToken.map(JSON.string) ?? .null,
    ]
  }
}
