import EndpointKit

extension [PathPattern.ClientVersion] {
  /// The path versions of an endpoint that the specification has as `v3`: its old name `r0` and, as on Synapse,
  /// `unstable`.
  static let released: [PathPattern.ClientVersion] = [.r0, .v3, .unstable]
  /// The same for endpoints that are old enough to have been `api/v1`.
  static let sinceV1: [PathPattern.ClientVersion] = [.apiV1, .r0, .v3, .unstable]
}
