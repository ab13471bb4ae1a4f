import EndpointKit
import MatrixPrimitives
import ServerConfig

/// Where conferences of calls are.
package struct CallTransportEndpoints: Sendable {
  private let transports: [JSON]
  private let isEnabled: Bool

  /// Makes the family.
  package init(config: HomeserverConfig) {
    transports = config.callTransports.transports
    isEnabled = config.experimental.hasCallTransports
  }

  /// The operations of the family; none unless they are switched on.
  package var family: EndpointFamily {
    EndpointFamily(
      "conferences",
      isEnabled
        ? [
          .get(
            "getRTCTransports", "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports", as: User.self, to: list)
        ]
        : [])
  }

  /// https://github.com/matrix-org/matrix-spec-proposals/pull/4143; without a transport the answer is empty, as on Synapse.
  private func list(_ user: User, _ request: Request) -> Response {
    transports.isEmpty ? .emptyObject : .json(["rtc_transports": .array(transports)])
  }
}
