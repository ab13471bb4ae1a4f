import Crypto
import Mail
import MatrixPrimitives
import RateLimits
import ServerConfig
import Stores
import Templates

/// Proofs of who owns an e-mail address: a mail with a link, and the link.
///
/// On the main process, where requests are counted.
public final class AddressValidationService: Sendable {
  private let config: HomeserverConfig
  private let store: AddressValidationStore
  private let accounts: AccountStore
  private let numbers: NumberDelegate
  private let mailer: Mailer
  private let library: TemplateLibrary
  private let clock: ServerClock
  private let clientLimiter: RateLimiter
  private let addressLimiter: RateLimiter
  /// What the ids of sessions that are none are made with.
  private let feigningKey = SymmetricKey(size: .bits256)

  init(
    config: HomeserverConfig, stores: AccountStores, numbers: NumberDelegate, mailer: Mailer, library: TemplateLibrary,
    clock: ServerClock
  ) {
    self.config = config
    store = stores.addressValidations
    accounts = stores.accounts
    self.numbers = numbers
    self.mailer = mailer
    self.library = library
    self.clock = clock
    clientLimiter = RateLimiter(config.rateLimits.threepidValidation, clock: clock)
    addressLimiter = RateLimiter(config.rateLimits.threepidValidation, clock: clock)
  }

  /// What an address is proved for.
  public enum Purpose: Sendable {
    /// A new account.
    case registration
    /// A new password.
    case passwordReset
    /// An address for an account.
    case addition
  }

  // MARK: Mails

  /// Sends a mail with a link to an address, as `requestToken` asks.
  ///
  /// - Parameters:
  ///   - body: the request's body.
  ///   - client: the client's network address, which is limited as the e-mail address is.
  /// - Returns: the session's id.
  /// - Throws: `MatrixError` 400 and 403 for addresses that cannot be, are taken or are not known, 429, and 500 when the mail could not
  ///   be sent.
  public func requestEmail(_ purpose: Purpose, _ body: JSONValue, client: Text) async throws -> Text {
    try requireEnabled(purpose)
    let request = try ValidationRequest(body)
    let address = try ThirdPartyAddress.email(try body.requireString("email"))
    // `name<user@host>` would bring the mail to an address that is neither counted nor proved.
    guard EmailAddress.bare(address) == address else { throw MatrixError.invalidParam("Unable to parse email address") }
    if purpose != .passwordReset, !config.identity.allows("email", address) {
      throw MatrixError(
        .threepidDenied,
        "Your email domain is not authorized\(purpose == .registration ? " to register" : "") on this server")
    }
    if let link = request.nextLink { try ThirdPartyAddress.check(nextLink: link, hosts: config.identity.nextLinkHosts) }
    try limit("email", address, client: client)
    let owner = try await accounts.user(withThirdParty: "email", address)
    switch (purpose, owner != nil) {
    case (.passwordReset, false):
      if config.identity.hidesKnowledge { return try await feign(address, request) }
      throw MatrixError(.threepidNotFound, "Email not found")
    case (.registration, true), (.addition, true):
      if config.identity.hidesKnowledge {
        if purpose == .registration { try await sendInUse(to: address) }
        return try await feign(address, request)
      }
      throw MatrixError(.threepidInUse, "Email is already in use")
    default: return try await sendLink(purpose, request, to: address)
    }
  }

  private func requireEnabled(_ purpose: Purpose) throws(MatrixError) {
    if purpose == .addition, !config.identity.allowsChanges { throw ThirdPartyService.disabled }
    if !config.email.isConfigured {
      switch purpose {
      case .registration: throw .unknown("Email-based registration has been disabled on this server")
      case .passwordReset: throw .unknown("Email-based password resets have been disabled on this server")
      case .addition:
        throw MatrixError(
          .threepidMediumNotSupported, "Adding an email to your account is disabled on this server")
      }
    }
    if purpose == .registration, !config.registration.isEnabled {
      throw .forbidden("Registration is disabled on this homeserver")
    }
  }

  private func limit(_ medium: Text, _ address: Text, client: Text) throws(MatrixError) {
    try clientLimiter.check("\(medium) \(client)")
    try addressLimiter.check("\(medium) \(address)")
  }

  /// Answers as if a mail had been sent, after about as long. A repeated request gets the same id.
  private func feign(_ address: Text, _ request: ValidationRequest) async throws -> Text {
    try await Self.dawdle()
    let named = Array("\(request.clientSecret) \(address)".utf8)
    let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    let code = HMAC<SHA256>.authenticationCode(for: named, using: feigningKey)
    return Text(decoding: code.prefix(16).map { letters[Int($0) % letters.count] }, as: UTF8.self)
  }

  private static func dawdle() async throws {
    try await Task.sleep(for: .milliseconds(Int.random(in: 100...1000)))
  }

  private func sendInUse(to address: Text) async throws {
    let templates = config.email.templates
    try await send(
      .init(
        recipient: address, subject: config.email.subjects.inUse, html: templates.inUseHTML, text: templates.inUseText))
  }

  private func sendLink(_ purpose: Purpose, _ request: ValidationRequest, to address: Text) async throws -> Text {
    let attempt = try await store.begin(
      "email", address: address, clientSecret: request.clientSecret, attempt: request.attempt)
    guard attempt.isNew else {
      // No faster than where there is no session.
      if config.identity.hidesKnowledge { try await Self.dawdle() }
      return attempt.session
    }
    let token = RandomString.letters(32)
    do {
      try await store.addLink(
        token, session: attempt.session, nextLink: request.nextLink.map { Self.link($0, session: attempt.session) },
        expiryMilliseconds: clock.nowMilliseconds + config.email.validationMilliseconds)
      try await send(draft(purpose, address, token: token, request.clientSecret, session: attempt.session))
    } catch {
      try await store.giveBack(attempt)
      throw error
    }
    return attempt.session
  }

  /// Adds the session to the address to which a link leads on, since the client does not know it yet.
  private static func link(_ nextLink: Text, session: Text) -> Text {
    "\(nextLink)\(nextLink.contains("?") ? "&" : "?" as Text)sid=\(session)"
  }

  private func draft(_ purpose: Purpose, _ address: Text, token: Text, _ clientSecret: Text, session: Text)
    -> Mailer.Draft
  {
    let (templates, subjects) = (names(of: purpose), config.email.subjects)
    let path: Text =
      switch purpose {
      case .registration: "_matrix/client/unstable/registration/email/submit_token"
      case .passwordReset: "_synapse/client/password_reset/email/submit_token"
      case .addition: "_matrix/client/unstable/add_threepid/email/submit_token"
      }
    let query = PercentEncoding.form(["token": token, "client_secret": clientSecret, "sid": session])
    return .init(
      recipient: address, subject: purpose == .passwordReset ? subjects.passwordReset : subjects.validation,
      html: templates.html, text: templates.text, values: ["link": .text("\(config.publicBaseURL)\(path)?\(query)")])
  }

  private func names(of purpose: Purpose) -> EmailSettings.Templates.Purpose {
    switch purpose {
    case .registration: config.email.templates.registration
    case .passwordReset: config.email.templates.passwordReset
    case .addition: config.email.templates.addition
    }
  }

  private func send(_ draft: Mailer.Draft) async throws {
    do {
      try await mailer.send(draft)
    } catch {
      throw MailFailure(cause: error)
    }
  }

  // MARK: Links

  /// What somebody sees who follows a link.
  public enum Page: Sendable {
    /// Another address.
    case redirect(Text)
    /// A page.
    case html(Text, status: Int)
  }

  /// Follows the link of a mail.
  ///
  /// - Throws: `MatrixError` 400 when mails are off, or for a secret that cannot be.
  public func follow(_ purpose: Purpose, session: Text, clientSecret: Text, token: Text) async throws -> Page {
    try requireLinks(purpose)
    try ThirdPartyAddress.check(clientSecret: clientSecret)
    let outcome: AddressValidationStore.Outcome
    if [session, token].contains(where: { $0.utf8.contains(0) || $0.utf8.count > 255 }) {
      outcome = .unknownSession
    } else {
      outcome = try await store.follow(
        session: session, clientSecret: clientSecret, token: token, nowMilliseconds: clock.nowMilliseconds)
    }
    let reason: Text
    switch outcome {
    case .validated(let nextLink):
      if let nextLink, !nextLink.hasPrefix("file:") { return .redirect(nextLink) }
      return .html(try library.render(names(of: purpose).success, values), status: 200)
    case .unknownSession where !config.identity.hidesKnowledge: reason = "Unknown session_id"
    case .unknownSession, .unknownToken: reason = "Validation token not found or has expired"
    case .otherSecret: reason = "This client_secret does not match the provided session_id"
    case .expired: reason = "This token has expired. Please request a new one"
    }
    var values = values
    values["failure_reason"] = .text(reason)
    return .html(try library.render(names(of: purpose).failure, values), status: 400)
  }

  /// Makes the page that asks whether a new password is really wanted, so that a program that follows links proves nothing.
  public func confirmation(session: Text, clientSecret: Text, token: Text) throws -> Page {
    try requireLinks(.passwordReset)
    try ThirdPartyAddress.check(clientSecret: clientSecret)
    var values = values
    (values["sid"], values["token"], values["client_secret"]) = (.text(session), .text(token), .text(clientSecret))
    return .html(try library.render("password_reset_confirmation.html", values), status: 200)
  }

  private var values: [Text: TemplateValue] { ["app_name": .text(config.email.appName)] }

  /// Refuses links where no mails are sent.
  ///
  /// - Throws: `MatrixError` 400, or 404 for the page that Synapse does not have then.
  public func requireLinks(_ purpose: Purpose) throws(MatrixError) {
    guard !config.email.isConfigured else { return }
    switch purpose {
    case .registration: throw .unknown("Email-based registration is disabled on this server")
    case .passwordReset: throw .unrecognized()
    case .addition:
      throw MatrixError(.threepidMediumNotSupported, "Adding an email to your account is disabled on this server")
    }
  }

  // MARK: Telephones

  /// Has the delegate send a code to a telephone.
  ///
  /// - Returns: the delegate's answer, with the address to which the code is to be sent.
  public func requestNumber(_ purpose: Purpose, _ body: JSONValue, client: Text) async throws -> JSON {
    if purpose == .addition, !numbers.isEnabled {
      throw MatrixError(
        .threepidMediumNotSupported, "Adding phone numbers to user account is not supported by this homeserver")
    }
    let request = try ValidationRequest(body)
    let (country, phone) = (try body.requireString("country"), try body.requireString("phone_number"))
    let number = try PhoneNumber.international(phone, country: country)
    guard config.identity.allows("msisdn", number) else {
      throw MatrixError(.threepidDenied, "Phone numbers are not authorized on this server")
    }
    try limit("msisdn", number, client: client)
    if let link = request.nextLink { try ThirdPartyAddress.check(nextLink: link, hosts: config.identity.nextLinkHosts) }
    if try await accounts.user(withThirdParty: "msisdn", number) != nil {
      if config.identity.hidesKnowledge { return ["sid": .string(try await feign(number, request))] }
      throw MatrixError(.threepidInUse, "Phone number is already in use")
    }
    guard numbers.isEnabled else {
      throw MatrixError.unknown("Registration by phone number is not supported on this homeserver")
    }
    var parameters: [Text: JSON] = [
      "country": .string(country), "phone_number": .string(phone), "client_secret": .string(request.clientSecret),
      "send_attempt": .integer(request.attempt),
    ]
    parameters["next_link"] = request.nextLink.map(JSON.string)
    return try await numbers.request(.object(parameters))
  }

  /// Brings a code that somebody got by telephone to the delegate.
  public func submitNumber(_ body: JSONValue) async throws -> JSON {
    let secret = try body.requireString("client_secret")
    try ThirdPartyAddress.check(clientSecret: secret)
    return try await numbers.submit(
      [
        "client_secret": .string(secret), "sid": .string(try body.requireString("sid")),
        "token": .string(try body.requireString("token")),
      ])
  }
}

/// A mail that the server could not send; the client is told that alone, the log why.
struct MailFailure: Error, CustomStringConvertible {
  let cause: any Error

  var description: String { "a mail could not be sent: \(cause)" }
}

/// What every request for a proof has.
struct ValidationRequest {
  let clientSecret: Text
  let attempt: Int64
  let nextLink: Text?

  init(_ body: JSONValue) throws(MatrixError) {
    clientSecret = try body.requireString("client_secret")
    try ThirdPartyAddress.check(clientSecret: clientSecret)
    attempt = try body.requireInteger("send_attempt")
    nextLink = try body.optionalString("next_link").flatMap { $0.isEmpty ? nil : $0 }
    if try body.optionalString("id_server") != nil, try body.optionalString("id_access_token") == nil {
      throw .invalidParam("id_access_token is required if an id_server is supplied.")
    }
  }
}
