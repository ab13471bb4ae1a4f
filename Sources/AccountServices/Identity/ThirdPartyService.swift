import MatrixPrimitives
import ServerConfig
import Stores

/// The addresses of accounts: added, taken away, and told to identity servers.
public final class ThirdPartyService: Sendable {
  private let config: HomeserverConfig
  private let stores: AccountStores
  private let numbers: NumberDelegate
  private let client: IdentityServerClient
  private let signRequest: AccountServices.RoomHooks.RequestSigning
  private let clock: ServerClock

  static let disabled = MatrixError(.forbidden, "3PID changes are disabled on this server", status: 400)

  init(
    config: HomeserverConfig, stores: AccountStores, numbers: NumberDelegate, client: IdentityServerClient,
    signRequest: @escaping AccountServices.RoomHooks.RequestSigning, clock: ServerClock
  ) {
    self.config = config
    self.stores = stores
    self.numbers = numbers
    self.client = client
    self.signRequest = signRequest
    self.clock = clock
  }

  /// Refuses changes where the configuration does.
  ///
  /// - Throws: `MatrixError` 400 `M_FORBIDDEN`.
  public func requireChanges() throws(MatrixError) {
    guard config.identity.allowsChanges else { throw Self.disabled }
  }

  /// Gives a user an address that was proved.
  ///
  /// - Throws: `MatrixError` `M_THREEPID_AUTH_FAILED` when there is no such proof, `M_THREEPID_IN_USE`.
  public func add(session: Text, clientSecret: Text, to user: UserID) async throws {
    guard let proved = try await proved(session: session, clientSecret: clientSecret) else {
      throw MatrixError(.threepidAuthFailed, "No validated 3pid session found", status: 400)
    }
    try await stores.thirdParties.add(
      proved.medium, proved.address, to: user, validatedAtMilliseconds: proved.validatedAtMilliseconds,
      nowMilliseconds: clock.nowMilliseconds)
  }

  /// Checks what a client names a proof by.
  ///
  /// - Throws: `MatrixError` 400.
  public func check(clientSecret: Text) throws(MatrixError) { try ThirdPartyAddress.check(clientSecret: clientSecret) }

  private func proved(session: Text, clientSecret: Text) async throws -> ProvedIdentifier? {
    guard !session.utf8.contains(0), session.utf8.count <= 255 else { return nil }
    if config.email.isConfigured,
      let found = try await stores.addressValidations.validated("email", id: session, clientSecret: clientSecret),
      let moment = found.validatedAtMilliseconds
    {
      return ProvedIdentifier(medium: found.medium, address: found.address, validatedAtMilliseconds: moment)
    }
    return try await numbers.proved(session: session, clientSecret: clientSecret)
  }

  /// Takes an address from a user, and tells the identity servers that know of it.
  ///
  /// - Returns: whether every identity server has forgotten the address.
  public func remove(_ medium: Text, _ address: Text, from user: UserID, server: Text?) async throws -> Bool {
    try Self.check(medium)
    let address = try ThirdPartyAddress.canonical(medium, address)
    let isForgotten = try await unbind(medium, address, of: user, server: server)
    try await stores.thirdParties.remove(medium, address, from: user)
    return isForgotten
  }

  // MARK: Identity servers

  /// Tells an identity server whose an address is that was proved to it.
  public func bind(session: Text, clientSecret: Text, server: Text, token: Text, user: UserID) async throws {
    try requireLocation(server)
    let answer = try await client.post(
      "https://\(server)/_matrix/identity/v2/3pid/bind",
      ["sid": .string(session), "client_secret": .string(clientSecret), "mxid": .string(user.rawValue)],
      authorization: "Bearer \(token)", trust: .user)
    guard let medium = answer["medium"]?.string, let address = answer["address"]?.string,
      !medium.utf8.contains(0), !address.utf8.contains(0), medium.utf8.count + address.utf8.count <= 1024
    else { throw MatrixError.unknown("The identity server's answer makes no sense") }
    try await stores.thirdParties.noteBinding(medium, address, of: user, at: server)
  }

  /// Has an identity server forget whose an address is.
  ///
  /// - Parameter server: nil for all that were told by way of this server.
  /// - Returns: whether all have; false also when there is none.
  public func unbind(_ medium: Text, _ address: Text, of user: UserID, server: Text?) async throws -> Bool {
    try Self.check(medium)
    guard !address.utf8.contains(0), address.utf8.count <= 512 else {
      throw MatrixError.invalidParam("Invalid address")
    }
    let servers: [Text] =
      if let server { [server] } else { try await stores.thirdParties.bindings(medium, address, of: user) }
    var areAllDone = !servers.isEmpty
    for server in servers {
      let isDone = try await unbind(medium, address, of: user, at: server)
      areAllDone = areAllDone && isDone
    }
    return areAllDone
  }

  private static func check(_ medium: Text) throws(MatrixError) {
    guard medium == "email" || medium == "msisdn" else {
      throw .badJSON("'\(medium)' is not a valid value for 'medium'")
    }
  }

  /// Has identity servers forget every address of a user who goes. One that cannot be reached keeps nobody.
  ///
  /// - Returns: whether all have; also when none knew any.
  public func unbindAll(of user: UserID, server: Text?) async throws -> Bool {
    var areAllDone = true
    for (medium, address) in try await stores.thirdParties.boundAddresses(of: user) {
      do {
        let isDone = try await unbind(medium, address, of: user, server: server)
        areAllDone = areAllDone && isDone
      } catch is MatrixError {
        areAllDone = false
      }
    }
    return areAllDone
  }

  private func unbind(_ medium: Text, _ address: Text, of user: UserID, at server: Text) async throws -> Bool {
    try requireLocation(server)
    let path = "/_matrix/identity/v2/3pid/unbind"
    let content: JSON = [
      "mxid": .string(user.rawValue), "threepid": ["medium": .string(medium), "address": .string(address)],
    ]
    let status = try await client.status(
      "https://\(server)\(path)", content, authorization: try signRequest("POST", path, server, content))
    switch status {
    case 200..<300: break
    // Servers that cannot forget: what was remembered of them here goes all the same.
    case 400, 404, 501: break
    default: throw MatrixError.unknown("Failed to contact the identity server")
    }
    try await stores.thirdParties.forgetBinding(medium, address, of: user, at: server)
    return (200..<300).contains(status)
  }

  private func requireLocation(_ server: Text) throws(MatrixError) {
    guard server.utf8.count <= 512, IdentityServerClient.isLocation(server) else {
      throw .unknown("id_server must be a valid hostname with optional port and path components")
    }
  }
}
