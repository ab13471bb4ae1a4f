import EncryptionServices
import EndpointKit
import MatrixPrimitives

/// What administrators, and services that authenticate users for them, decide of users' cross-signing keys.
package struct CrossSigningEndpoints: Sendable {
  private let crossSigning: CrossSigningService

  /// Makes the family.
  package init(crossSigning: CrossSigningService) { self.crossSigning = crossSigning }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "admin-cross-signing",
      [
        .post(
          "allowCrossSigningReplacement", .admin("v1/users/{userID}/_allow_cross_signing_replacement_without_uia"),
          as: Administrator.self, on: .main, to: allowReplacement)
      ])
  }

  /// Synapse's admin API "Allow replacing master cross-signing key without User-Interactive Auth".
  private func allowReplacement(_ caller: Administrator, _ request: Request) async throws -> Response {
    guard let until = try await crossSigning.permitReplacement(of: try request.userID) else {
      throw MatrixError.notFound("User has no master cross-signing key")
    }
    return .json(["updatable_without_uia_before_ms": .integer(until)])
  }
}
