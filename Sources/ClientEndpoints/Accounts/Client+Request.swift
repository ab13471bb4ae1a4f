import AccountServices
import EndpointKit

extension Authenticator.Client {
  /// Takes the address and the program from a request.
  init(_ request: Request) { self.init(ip: request.clientIP, userAgent: request.userAgent) }
}
