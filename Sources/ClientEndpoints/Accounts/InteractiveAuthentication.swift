import AccountServices
import EndpointKit
import MatrixPrimitives

extension UserInteractiveAuth.Operation {
  /// Takes the operation that a request asks for.
  ///
  /// - Parameter description: what the user is about to do, such as `deactivate your account`.
  init(_ request: Request, _ description: Text) {
    self.init(
      uri: request.path, method: request.method.rawValue, description: description, client: .init(request))
  }
}

/// https://spec.matrix.org/v1.16/client-server-api/#user-interactive-authentication-api
extension UserInteractiveAuth.Incomplete: AnswerableError {
  /// The stages that are missing.
  public var response: Response { .json(body, status: 401) }
}

extension Authenticator.Client {
  /// Takes the address and the program from a request.
  init(_ request: Request) { self.init(ip: request.clientIP, userAgent: request.userAgent) }
}

extension Endpoint.BodyPolicy {
  /// The bodies of endpoints of accounts: names, passwords and stages of authentication are short, and part of them is kept.
  static let account = Endpoint.BodyPolicy.collected(limit: 65_536)
}
