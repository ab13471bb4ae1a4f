import ByteText
import EndpointKit

/// The endpoints that every process answers about itself.
enum OwnEndpoints {
  /// `OK` as long as the process serves requests, for load balancers.
  static let health = EndpointFamily(
    "health", resource: "health",
    [
      .get("Health", "/health", as: Anyone.self, on: .everyProcess, execution: .onEventLoop) { _, _ in .text("OK") }
    ])

  /// Returns the metrics of the process, for Prometheus.
  static func metrics(_ page: @escaping @Sendable () -> String) -> EndpointFamily {
    EndpointFamily(
      "metrics", resource: "metrics",
      [
        .get("Metrics", ["/metrics", "/_synapse/metrics"], as: Anyone.self, on: .everyProcess) { _, _ in
          .text(Text(page()), contentType: "text/plain; version=0.0.4; charset=utf-8")
        }
      ])
  }
}
