import MatrixPrimitives
import Replication
import ServerConfig
import Stores

/// Opening, refreshing and closing sessions: a device, its access token and perhaps a refresh token.
///
/// Token ids are counted by the main process, so a worker asks it (`device_check_registered`).
public final class SessionService: Sendable {
  private let config: HomeserverConfig
  private let stores: AccountStores
  private let devices: DeviceService
  private let router: CallRouter
  private let clock: ServerClock

  init(
    config: HomeserverConfig, stores: AccountStores, devices: DeviceService, router: CallRouter, clock: ServerClock
  ) {
    self.config = config
    self.stores = stores
    self.devices = devices
    self.router = router
    self.clock = clock
  }

  /// Opens a session. Earlier ones of the same device end.
  ///
  /// - Throws: `MatrixError` for a device ID or name that cannot be.
  public func open(_ request: SessionRequest) async throws -> NewSession {
    try SessionRequest.check(deviceID: request.deviceID, displayName: request.displayName)
    var request = request
    request.wantsRefreshToken = request.wantsRefreshToken && config.sessions.refreshableAccessTokenMilliseconds != nil
    return try await router.perform(request, here: openHere)
  }

  /// The call by which workers have the main process open sessions.
  var calls: [ServedCall] { [ServedCall(SessionRequest.self) { try await self.openHere($0) }] }

  /// Opens a session on the main process, for itself or for a worker that asks.
  ///
  /// - Throws: `MatrixError` 403 when the registration has opened its session before and that one has ended.
  private func openHere(_ request: SessionRequest) async throws -> NewSession {
    let device = request.deviceID ?? TokenGenerator.deviceID()
    let now = clock.nowMilliseconds
    let tokens = newTokens(for: request, now: now)
    let opened = try await stores.sessions.open(
      NewSessionRows(
        userID: request.userID, deviceID: device, displayName: request.displayName,
        authProvider: request.authProvider, tokens: tokens, registrationSession: request.registrationSession),
      nowMilliseconds: now)
    switch opened {
    case .stored(let isNewDevice):
      if isNewDevice, !config.sessions.usersWithQuietDevices.contains(request.userID.rawValue) {
        try await devices.changed([device], of: request.userID)
      }
      return Self.session(tokens, deviceID: device)
    case .kept(let session):
      return NewSession(
        deviceID: session.deviceID, accessToken: session.accessToken,
        validUntilMilliseconds: session.validUntilMilliseconds, refreshToken: session.refreshToken)
    case .ended: throw MatrixError.forbidden("The session of this registration has ended")
    }
  }

  private func newTokens(for request: SessionRequest, now: Int64) -> NewTokens {
    let access = TokenGenerator.accessToken(for: request.userID)
    let session = config.sessions.lifetimeMilliseconds.map { now + $0 }
    guard request.wantsRefreshToken, !request.isGuest,
      let lifetime = config.sessions.refreshableAccessTokenMilliseconds
    else {
      let fixed = config.sessions.nonrefreshableAccessTokenMilliseconds.map { now + $0 }
      return NewTokens(
        access: access, validUntilMilliseconds: Self.earlier(session, fixed), refresh: nil,
        refreshExpiryMilliseconds: nil, sessionExpiryMilliseconds: nil)
    }
    return NewTokens(
      access: access, validUntilMilliseconds: Self.earlier(session, now + lifetime),
      refresh: TokenGenerator.refreshToken(for: request.userID),
      refreshExpiryMilliseconds: Self.earlier(session, config.sessions.refreshTokenMilliseconds.map { now + $0 }),
      sessionExpiryMilliseconds: session)
  }

  /// Exchanges a refresh token. Served by the main process.
  ///
  /// The old tokens stay good until one of the new ones is used, so that a lost answer does not log the client out.
  /// - Throws: `MatrixError` 401 `M_UNKNOWN_TOKEN` for an unknown token, 403 `M_FORBIDDEN` for a spent or expired one.
  public func refresh(_ token: Text) async throws -> NewSession {
    let (now, settings) = (clock.nowMilliseconds, config.sessions)
    guard token.utf8.count <= 1024,
      let new = try await stores.sessions.exchange(
        token, nowMilliseconds: now, successor: { try Self.successor(of: $0, settings, now: now) })
    else { throw MatrixError.unknownToken() }
    return Self.session(new.tokens, deviceID: new.deviceID)
  }

  private static func successor(
    of old: RefreshTokenLookup, _ settings: SessionSettings, now: Int64
  ) throws(MatrixError) -> NewTokens {
    guard !old.isSpent else { throw MatrixError.forbidden("The refresh token has been used already") }
    for end in [old.expiryMilliseconds, old.sessionExpiryMilliseconds] {
      if let end, end < now { throw MatrixError.forbidden("The refresh token has expired") }
    }
    let session = old.sessionExpiryMilliseconds
    return NewTokens(
      access: TokenGenerator.accessToken(for: old.userID),
      validUntilMilliseconds: earlier(session, settings.refreshableAccessTokenMilliseconds.map { now + $0 }),
      refresh: TokenGenerator.refreshToken(for: old.userID),
      refreshExpiryMilliseconds: earlier(session, settings.refreshTokenMilliseconds.map { now + $0 }),
      sessionExpiryMilliseconds: session)
  }

  /// Closes the session that a request was made with: its device goes with it.
  public func close(_ requester: Requester, accessToken: Text) async throws {
    guard let device = requester.deviceID else {
      try await stores.accessTokens.delete(accessToken)
      return
    }
    try await devices.delete([device], of: requester.userID)
  }

  /// Closes the session of a device, which goes with it.
  func close(device: Text, of user: UserID) async throws { try await devices.delete([device], of: user) }

  /// Closes every session of a user.
  public func closeAll(of user: UserID) async throws {
    try await devices.ended(try await stores.sessions.endAll(of: user), of: user)
  }

  private static func session(_ tokens: NewTokens, deviceID: Text) -> NewSession {
    NewSession(
      deviceID: deviceID, accessToken: tokens.access, validUntilMilliseconds: tokens.validUntilMilliseconds,
      refreshToken: tokens.refresh)
  }

  private static func earlier(_ first: Int64?, _ second: Int64?) -> Int64? {
    guard let first, let second else { return first ?? second }
    return min(first, second)
  }
}
