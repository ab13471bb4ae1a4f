import AccountServices
import EndpointKit
import MatrixPrimitives

/// Mails and codes that prove who owns an address, and the pages to which their links lead.
package struct AddressValidationEndpoints: Sendable {
  private let validations: AddressValidationService

  /// Makes the family.
  package init(accounts: AccountServices) { validations = accounts.validations }

  /// The operations of the family.
  package var family: EndpointFamily { EndpointFamily("address validation", requests + links) }

  private var requests: [Endpoint] {
    [
      .post(
        "requestTokenToRegisterEmail", .client("register/email/requestToken", .released), as: Anyone.self, on: .main,
        body: .account, to: { try await requestEmail(.registration, $1) }),
      .post(
        "requestTokenToResetPasswordEmail", .client("account/password/email/requestToken", .released),
        as: Anyone.self, on: .main, body: .account, to: { try await requestEmail(.passwordReset, $1) }),
      .post(
        "requestTokenTo3PIDEmail", .client("account/3pid/email/requestToken", .released), as: Anyone.self, on: .main,
        body: .account, to: { try await requestEmail(.addition, $1) }),
      .post(
        "requestTokenToRegisterMSISDN", .client("register/msisdn/requestToken", .released), as: Anyone.self, on: .main,
        body: .account, to: { try await requestNumber(.registration, $1) }),
      .post(
        "requestTokenTo3PIDMSISDN", .client("account/3pid/msisdn/requestToken", .released), as: Anyone.self, on: .main,
        body: .account, to: { try await requestNumber(.addition, $1) }),
      .post(
        "submitMSISDNToken", .client("add_threepid/msisdn/submit_token", [.unstable]), as: Anyone.self, on: .main,
        body: .account, to: submitNumber),
    ]
  }

  private static let passwordReset: EndpointPaths = "/_synapse/client/password_reset/email/submit_token"

  private var links: [Endpoint] {
    [
      .get(
        "followRegistrationLink", .client("registration/{medium}/submit_token", [.unstable]), as: Anyone.self,
        on: .main, to: followRegistration),
      .get(
        "followAdditionLink", .client("add_threepid/email/submit_token", [.unstable]), as: Anyone.self, on: .main,
        to: { try await follow(.addition, $1) }),
      .get("getPasswordResetPage", Self.passwordReset, as: Anyone.self, on: .main, to: confirmPasswordReset),
      .post(
        "followPasswordResetLink", Self.passwordReset, as: Anyone.self, on: .main, body: .account,
        to: { try await follow(.passwordReset, $1) }),
    ]
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3registeremailrequesttoken
  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3accountpasswordemailrequesttoken
  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3account3pidemailrequesttoken
  private func requestEmail(_ purpose: AddressValidationService.Purpose, _ request: Request) async throws -> Response {
    let session = try await validations.requestEmail(purpose, try request.jsonObject(), client: request.clientIP)
    return .json(["sid": .string(session)])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3registermsisdnrequesttoken
  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3account3pidmsisdnrequesttoken
  private func requestNumber(_ purpose: AddressValidationService.Purpose, _ request: Request) async throws -> Response {
    .json(try await validations.requestNumber(purpose, try request.jsonObject(), client: request.clientIP))
  }

  /// Brings the code that was sent to a telephone to the server that sent it (MSC2078).
  private func submitNumber(_ caller: Anyone, _ request: Request) async throws -> Response {
    .json(try await validations.submitNumber(try request.jsonObject()))
  }

  /// Answers the link of a mail about a new account, as Synapse writes it.
  private func followRegistration(_ caller: Anyone, _ request: Request) async throws -> Response {
    guard try request.parameter("medium") == "email" else {
      throw MatrixError.unknown("This medium is currently not supported for registration")
    }
    return try await follow(.registration, request)
  }

  private func follow(_ purpose: AddressValidationService.Purpose, _ request: Request) async throws -> Response {
    try validations.requireLinks(purpose)
    let link = try Link(request)
    let page = try await validations.follow(
      purpose, session: link.session, clientSecret: link.clientSecret, token: link.token)
    return page.response
  }

  /// Answers the link of a mail about a new password with a question, so that a program that looks at links answers nothing.
  private func confirmPasswordReset(_ caller: Anyone, _ request: Request) async throws -> Response {
    try validations.requireLinks(.passwordReset)
    let link = try Link(request)
    return try validations.confirmation(
      session: link.session, clientSecret: link.clientSecret, token: link.token
    ).response
  }
}

/// The parameters of every link, in its query or in a form.
private struct Link {
  let session: Text
  let clientSecret: Text
  let token: Text

  init(_ request: Request) throws(MatrixError) {
    session = try request.requireFormValue("sid")
    clientSecret = try request.requireFormValue("client_secret")
    token = try request.requireFormValue("token")
  }
}

extension AddressValidationService.Page {
  fileprivate var response: Response {
    switch self {
    case .redirect(let location): .redirect(to: location)
    case .html(let page, let status): .html(page, status: status)
    }
  }
}
