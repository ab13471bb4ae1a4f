import AccountServices
import Crypto
import EndpointKit
import FoundationEssentials
import MatrixPrimitives
import ServerConfig

/// `/_synapse/admin/v1/register`: an administrator with the shared secret makes accounts.
///
/// The caller asks for a nonce and proves the secret by an HMAC-SHA-1 over nonce, name, password, role and type,
/// separated by null bytes (Synapse's admin API "Shared-Secret Registration").
package struct SharedSecretRegistrationEndpoints: Sendable {
  private let config: HomeserverConfig
  private let accounts: AccountServices
  private let nonces: NonceRegister

  /// Makes the family.
  package init(config: HomeserverConfig, accounts: AccountServices) {
    self.config = config
    self.accounts = accounts
    nonces = NonceRegister(clock: accounts.clock)
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "administration",
      [
        .get("getRegistrationNonce", .admin("v1/register"), as: Anyone.self, on: .main, to: nonce),
        .post(
          "registerWithSharedSecret", .admin("v1/register"), as: Anyone.self, on: .main, limited: true,
          body: .collected(limit: 65_536), to: register),
      ])
  }

  private func nonce(_ caller: Anyone, _ request: Request) -> Response {
    .json(["nonce": .string(nonces.make())])
  }

  private func register(_ caller: Anyone, _ request: Request) async throws -> Response {
    guard let secret = config.registration.sharedSecret, !secret.isEmpty else {
      throw MatrixError.unknown("Shared secret registration is not enabled", status: 400)
    }
    let body = try request.jsonObject()
    let nonce = try body.requireString("nonce")
    guard nonces.isGood(nonce) else { throw Self.unrecognisedNonce }
    let submission = try Submission(body)
    guard submission.isProved(by: secret) else { throw MatrixError.forbidden("HMAC incorrect") }
    guard nonces.take(nonce) else { throw Self.unrecognisedNonce }
    var account = RegistrationService.Submission(localpart: submission.username.asciiLowercased)
    account.isAdmin = submission.isAdmin
    account.userType = submission.userType
    account.displayName = submission.displayName
    let device = RegistrationFlow.FirstDevice(
      deviceID: submission.deviceID, displayName: submission.deviceDisplayName)
    let registered = try await accounts.registrationFlow.registerByAdministrator(
      account, password: submission.password, device: submission.inhibitsLogin ? nil : device)
    var answer: [Text: JSON] = [
      "user_id": .string(registered.userID.rawValue), "home_server": .string(config.serverName),
    ]
    if let session = registered.session {
      answer["access_token"] = .string(session.accessToken)
      answer["device_id"] = .string(session.deviceID)
    }
    return .json(.object(answer))
  }

  private static let unrecognisedNonce = MatrixError.unknown("unrecognised nonce", status: 400)

  /// The body of a registration, with what its MAC covers.
  private struct Submission {
    let nonce: Text
    let username: Text
    let password: Text
    let isAdmin: Bool
    let userType: Text?
    let displayName: Text?
    let inhibitsLogin: Bool
    let deviceID: Text?
    let deviceDisplayName: Text?
    let mac: Text

    init(_ body: JSONValue) throws(MatrixError) {
      nonce = try body.requireString("nonce")
      username = try body.requireString("username")
      password = try body.requireString("password")
      isAdmin = try body.optionalBool("admin") ?? false
      userType = try body.optionalString("user_type")
      displayName = try body.optionalString("displayname")
      inhibitsLogin = try body.optionalBool("inhibit_login") ?? false
      deviceID = try body.optionalString("device_id")
      deviceDisplayName = try body.optionalString("initial_device_display_name")
      try SessionRequest.check(deviceID: deviceID, displayName: deviceDisplayName)
      mac = try body.requireString("mac")
      for value in [username, password] {
        guard value.unicodeScalars.count <= 512, !value.utf8.contains(0) else {
          throw .invalidParam("Invalid username or password")
        }
      }
      if let userType, !["support", "bot"].contains(userType) { throw .invalidParam("Invalid user type") }
    }

    func isProved(by secret: Text) -> Bool {
      var parts = [nonce, username, password, isAdmin ? "admin" : "notadmin"]
      if let userType { parts.append(userType) }
      var hmac = HMAC<Insecure.SHA1>(key: SymmetricKey(data: Data(secret.utf8)))
      for (index, part) in parts.enumerated() {
        if index > 0 { hmac.update(data: [0]) }
        hmac.update(data: Array(part.utf8))
      }
      let wanted = Array(Text(hexadecimal: hmac.finalize()).utf8)
      // Compared over all bytes, so that the time taken does not reveal how many were right.
      let shown = Array(mac.utf8)
      guard shown.count == wanted.count else { return false }
      return zip(shown, wanted).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
  }
}
