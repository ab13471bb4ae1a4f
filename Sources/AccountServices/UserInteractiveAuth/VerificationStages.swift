import MatrixPrimitives
import Outbound
import ServerConfig
import Stores
import Templates

/// The stages of interactive authentication that say something about whoever registers: a captcha, the policy, an address, a token.
///
/// A refusal has status 401, whatever its code, so that the client may try the stage again.
final class VerificationStages: Sendable {
  static let dummy = "m.login.dummy"
  static let terms = "m.login.terms"
  static let recaptcha = "m.login.recaptcha"
  static let email = "m.login.email.identity"
  static let msisdn = "m.login.msisdn"
  static let token = "m.login.registration_token"

  private let config: HomeserverConfig
  private let tokens: RegistrationTokenStore
  private let validations: AddressValidationStore
  private let numbers: NumberDelegate
  private let client: OutboundClient
  private let clock: ServerClock

  init(
    config: HomeserverConfig, stores: AccountStores, numbers: NumberDelegate, client: OutboundClient,
    clock: ServerClock
  ) {
    self.config = config
    tokens = stores.registrationTokens
    validations = stores.addressValidations
    self.numbers = numbers
    self.client = client
    self.clock = clock
  }

  /// Whether a proof of an e-mail address can be given.
  var checksEmail: Bool { config.email.isConfigured }
  /// Whether a proof of a telephone number can be given.
  var checksNumbers: Bool { numbers.isEnabled }

  /// The values that clients need for stages, by stage.
  var parameters: [Text: JSON] {
    let version = config.consent.version ?? ""
    return [
      Self.recaptcha: ["public_key": config.captcha.publicKey.map(JSON.string) ?? .null],
      Self.terms: [
        "policies": [
          "privacy_policy": [
            "version": .string(version),
            "en": [
              "name": .string(config.consent.policyName),
              "url": .string("\(config.publicBaseURL)_matrix/consent?v=\(PercentEncoding.encode(version))"),
            ],
          ]
        ]
      ],
    ]
  }

  /// Checks one stage.
  ///
  /// - Parameters:
  ///   - session: the session of interactive authentication.
  ///   - address: the client's network address.
  /// - Returns: what the session remembers of the stage; nil when that is noted already.
  /// - Throws: `MatrixError` 401 for a stage that is not passed.
  func check(_ stage: Text, _ auth: JSONValue, session: Text, address: Text) async throws -> JSON? {
    switch stage {
    case Self.dummy, Self.terms: return .bool(true)
    case Self.recaptcha:
      try await checkCaptcha(auth, address)
      return .bool(true)
    case Self.email: return try await checkEmail(auth, session)
    case Self.msisdn: return try await checkNumber(auth)
    case Self.token:
      try await reserveToken(auth, session)
      return nil
    default: throw MatrixError.invalidParam("Unknown authentication stage \(stage)")
    }
  }

  // MARK: Captcha

  private func checkCaptcha(_ auth: JSONValue, _ address: Text) async throws {
    guard let secret = config.captcha.privateKey else {
      throw MatrixError.unknown("Captchas are not checked on this server")
    }
    guard let response = try auth.optionalString("response"), !response.isEmpty, response.utf8.count <= 16_384 else {
      throw MatrixError(.captchaNeeded, "Captcha response is required")
    }
    let fields = PercentEncoding.form(["secret": secret, "response": response, "remoteip": address])
    let answer: OutboundClient.Answer
    do {
      answer = try await client.send(
        .init(
          "POST", config.captcha.verifier, headers: [("Content-Type", "application/x-www-form-urlencoded")],
          body: Array(fields.utf8)),
        trust: .administrator)
    } catch {
      throw MatrixError.unknown("The captcha cannot be checked now", status: 502)
    }
    // An answer that is no JSON is no success.
    guard (try? JSON.parse(answer.body))?["success"]?.bool == true else {
      throw MatrixError(.unauthorized, "Captcha authentication failed")
    }
  }

  // MARK: Addresses

  /// What a client names its proof by.
  private struct Credentials {
    let json: JSON
    let session: Text
    let clientSecret: Text

    init(_ auth: JSONValue) throws(MatrixError) {
      // Old clients write the name in another way.
      let standard = try auth.optionalObject("threepid_creds")
      let old = try auth.optionalObject("threepidCreds")
      guard let creds = standard ?? old else {
        throw MatrixError(.missingParam, "Missing threepid_creds", status: 401)
      }
      guard let sid = creds["sid"]?.string,
        let secret = creds["client_secret"]?.string ?? creds["clientSecret"]?.string,
        !sid.utf8.contains(0), !secret.utf8.contains(0), sid.utf8.count <= 255, secret.utf8.count <= 255
      else { throw MatrixError(.missingParam, "Missing sid or client_secret", status: 401) }
      (json, session, clientSecret) = (["sid": .string(sid), "client_secret": .string(secret)], sid, secret)
    }

    /// What the session remembers, in Synapse's form.
    func result(_ proved: ProvedIdentifier) -> JSON {
      [
        "medium": .string(proved.medium), "address": .string(proved.address),
        "validated_at": .integer(proved.validatedAtMilliseconds), "threepid_creds": json,
      ]
    }
  }

  private static let notProved = MatrixError(.unauthorized, "Unable to get validated threepid")

  /// Uses a proof of an e-mail address up. A proof is good for one session of authentication.
  private func checkEmail(_ auth: JSONValue, _ session: Text) async throws -> JSON? {
    guard checksEmail else {
      throw MatrixError.invalidParam("Email address verification is not enabled on this homeserver")
    }
    let credentials = try Credentials(auth)
    guard
      let found = try await validations.validated(
        "email", id: credentials.session, clientSecret: credentials.clientSecret),
      let moment = found.validatedAtMilliseconds
    else { throw Self.notProved }
    let proved = ProvedIdentifier(medium: "email", address: found.address, validatedAtMilliseconds: moment)
    let isUsed = try await validations.use(
      found, stage: Self.email, result: credentials.result(proved), interactiveSession: session)
    guard isUsed else { throw Self.notProved }
    return nil
  }

  private func checkNumber(_ auth: JSONValue) async throws -> JSON? {
    let credentials = try Credentials(auth)
    guard checksNumbers else {
      throw MatrixError.unknown("Phone number verification is not enabled on this homeserver")
    }
    guard
      let proved = try await numbers.proved(session: credentials.session, clientSecret: credentials.clientSecret)
    else { throw Self.notProved }
    return credentials.result(proved)
  }

  /// Reads what a completed stage remembers of an address; nil where the stage was not passed.
  static func proved(_ stage: Text, in stages: [Text: JSON]) -> ProvedIdentifier? {
    guard let result = stages[stage], let medium = result["medium"]?.string, let address = result["address"]?.string,
      let moment = result["validated_at"]?.integer
    else { return nil }
    return ProvedIdentifier(medium: medium, address: address, validatedAtMilliseconds: moment)
  }

  // MARK: Tokens

  /// Reserves a registration token until the account exists.
  private func reserveToken(_ auth: JSONValue, _ session: Text) async throws {
    guard let token = try auth.optionalString("token") else {
      throw MatrixError(.missingParam, "Missing registration token", status: 401)
    }
    let isReserved = try await tokens.reserve(
      token, stage: Self.token, session: session, nowMilliseconds: clock.nowMilliseconds)
    guard isReserved else { throw MatrixError(.unauthorized, "Invalid registration token") }
  }
}
