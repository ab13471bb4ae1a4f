import MatrixPrimitives
import ServerConfig
import Stores
import Templates

/// The pages by which stages are passed in a browser, for clients that do not know them.
///
/// Source: the specification's "Fallback" of interactive authentication.
public final class FallbackPages: Sendable {
  private let config: HomeserverConfig
  private let stages: VerificationStages
  private let store: UserInteractiveAuthStore
  private let library: TemplateLibrary

  init(
    config: HomeserverConfig, stages: VerificationStages, store: UserInteractiveAuthStore, library: TemplateLibrary
  ) {
    self.config = config
    self.stages = stages
    self.store = store
    self.library = library
  }

  /// Makes the page of a stage.
  ///
  /// - Throws: `MatrixError` 400 without a session, 404 for a stage without a page.
  public func page(stage: Text, session: Text?) throws -> Text { try page(stage, try Self.check(session), error: nil) }

  /// Checks what somebody has sent from the page of a stage, and makes the page that follows.
  ///
  /// - Parameters:
  ///   - field: returns what was sent.
  ///   - address: the client's network address.
  public func submit(
    stage: Text, session: Text?, address: Text, field: (_ name: Text) -> Text?
  ) async throws -> Text {
    let session = try Self.check(session)
    var auth: [Text: JSON] = ["session": .string(session)]
    switch stage {
    case VerificationStages.recaptcha:
      guard let response = field("g-recaptcha-response"), !response.isEmpty else {
        throw MatrixError.unknown("No captcha response supplied", status: 400)
      }
      auth["response"] = .string(response)
    case VerificationStages.terms: break
    case VerificationStages.token:
      guard let token = field("token") else { throw MatrixError.missingParam("Missing required parameter token") }
      auth["token"] = .string(token)
    default: throw MatrixError.notFound("Unknown auth stage type")
    }
    guard try await store.session(session) != nil else {
      throw MatrixError.unknown("Unknown session ID", status: 400)
    }
    do {
      let result = try await stages.check(
        stage, try JSON.object(auth).document(), session: session, address: address)
      if let result { try await store.complete(stage: stage, result: result, session: session) }
    } catch let error as MatrixError where error.status == 401 {
      return try page(stage, session, error: error.message)
    }
    return try library.render("auth_success.html", ["app_name": .text(config.email.appName)])
  }

  private static func check(_ session: Text?) throws(MatrixError) -> Text {
    guard let session, !session.isEmpty, session.utf8.count <= 255, !session.utf8.contains(0) else {
      throw .unknown("No session supplied", status: 400)
    }
    return session
  }

  private func page(_ stage: Text, _ session: Text, error: Text?) throws -> Text {
    var values: [Text: TemplateValue] = [
      "session": .text(session), "myurl": .text("/_matrix/client/v3/auth/\(stage)/fallback/web"),
      "app_name": .text(config.email.appName),
    ]
    if let error { values["error"] = .text(error) }
    switch stage {
    case VerificationStages.recaptcha:
      values["sitekey"] = .text(config.captcha.publicKey ?? "")
      return try library.render("recaptcha.html", values)
    case VerificationStages.terms:
      let version = PercentEncoding.encode(config.consent.version ?? "")
      values["terms_url"] = .text("\(config.publicBaseURL)_matrix/consent?v=\(version)")
      return try library.render("terms.html", values)
    case VerificationStages.token: return try library.render("registration_token.html", values)
    default: throw MatrixError.notFound("Unknown auth stage type")
    }
  }
}
