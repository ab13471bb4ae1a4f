import ByteText
import EndpointKit

/// Declares the endpoints that every process answers about itself.
enum OwnEndpoints {
  /// Answers `OK` as long as the process serves requests, for load balancers.
  static let health = EndpointFamily(
    name: "health", resource: "health",
    endpoints: [
      Endpoint(
        name: "Health", method: .get, paths: ["/health"], auth: .none, role: .everyProcess, deadline: nil,
        cancelsOnDisconnect: false
      ) { _ in .text("OK") }
    ])

  /// Answers the metrics of the process to Prometheus.
  static func metrics(_ page: @escaping @Sendable () -> String) -> EndpointFamily {
    EndpointFamily(
      name: "metrics", resource: "metrics",
      endpoints: [
        Endpoint(
          name: "Metrics", method: .get, paths: ["/metrics", "/_synapse/metrics"], auth: .none, role: .everyProcess
        ) { _ in .text(Text(page()), contentType: "text/plain; version=0.0.4; charset=utf-8") }
      ])
  }
}
