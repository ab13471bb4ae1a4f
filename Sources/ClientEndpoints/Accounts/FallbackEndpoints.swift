import AccountServices
import EndpointKit
import MatrixPrimitives

/// The pages of stages of interactive authentication.
package struct FallbackEndpoints: Sendable {
  private let pages: FallbackPages

  /// Makes the family.
  package init(accounts: AccountServices) { pages = accounts.fallbackPages }

  private static let paths = EndpointPaths.client("auth/{stage}/fallback/web", .released)

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "authentication pages",
      [
        .get("getStagePage", Self.paths, as: Anyone.self, on: .main, to: page),
        .post("submitStagePage", Self.paths, as: Anyone.self, on: .main, body: .account, to: submit),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#fallback
  private func page(_ caller: Anyone, _ request: Request) throws -> Response {
    .html(try pages.page(stage: try request.parameter("stage"), session: request.queryValue("session")))
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#fallback
  private func submit(_ caller: Anyone, _ request: Request) async throws -> Response {
    .html(
      try await pages.submit(
        stage: try request.parameter("stage"), session: request.formValue("session"), address: request.clientIP,
        field: { request.formValue($0) }))
  }
}

/// The pages of the policy that users agree to.
package struct ConsentEndpoints: Sendable {
  private let pages: ConsentPages

  /// Makes the family.
  package init(accounts: AccountServices) { pages = accounts.consentPages }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "consent", resource: "consent",
      [
        .get("getConsentPage", "/_matrix/consent", as: Anyone.self, on: .main, to: page),
        .post("giveConsent", "/_matrix/consent", as: Anyone.self, on: .main, body: .account, to: agree),
      ])
  }

  /// Answers the policy (Synapse's documentation of consent tracking).
  private func page(_ caller: Anyone, _ request: Request) async throws -> Response {
    guard pages.isEnabled else { throw MatrixError.unrecognized() }
    return .html(
      try await pages.page(
        version: request.queryValue("v"), user: request.queryValue("u"), hash: request.queryValue("h")))
  }

  /// Notes the agreement to the policy.
  private func agree(_ caller: Anyone, _ request: Request) async throws -> Response {
    guard pages.isEnabled else { throw MatrixError.unrecognized() }
    return .html(
      try await pages.agree(
        version: try request.requireFormValue("v"), user: try request.requireFormValue("u"),
        hash: try request.requireFormValue("h")))
  }
}
