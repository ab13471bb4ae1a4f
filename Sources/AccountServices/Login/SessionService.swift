import MatrixPrimitives
import Replication
import ServerConfig
import Stores

/// What a client receives when it is logged in.
public struct NewSession: Sendable {
  /// The device, made for the session or chosen by the client.
  public let deviceID: String
  /// Authenticates the requests of the session.
  public let accessToken: String
  /// When the access token ends, in milliseconds since 1970; nil never.
  public let validUntilMilliseconds: Int64?
  /// Exchanges an access token that ends; nil unless asked for and configured.
  public let refreshToken: String?
}

/// Opens, refreshes and closes sessions: a device, its access token and perhaps a refresh token.
///
/// Token ids are counted by the main process, so a worker asks it (`device_check_registered`).
public final class SessionService: Sendable {
  private let config: HomeserverConfig
  private let storage: Storage
  private let devices: DeviceService
  private let replication: ReplicationClient?
  private let clock: ServerClock

  init(
    config: HomeserverConfig, storage: Storage, devices: DeviceService, replication: ReplicationClient?,
    clock: ServerClock
  ) {
    self.config = config
    self.storage = storage
    self.devices = devices
    self.replication = replication
    self.clock = clock
  }

  /// Opens a session.
  ///
  /// - Parameters:
  ///   - deviceID: the client's choice, or nil for a new one.
  ///   - displayName: the name of a new device.
  ///   - wantsRefreshToken: honoured only where the configuration sets lifetimes for refreshable tokens.
  /// - Throws: `MatrixError` for a device ID or name that cannot be.
  public func open(
    user: UserID, deviceID: String?, displayName: String?, wantsRefreshToken: Bool
  ) async throws -> NewSession {
    if let deviceID, deviceID.isEmpty || deviceID.utf8.count > 512 || deviceID.utf8.contains(0) {
      throw MatrixError.invalidParam("device_id must be a string of 1 to 512 bytes")
    }
    try DeviceService.check(displayName: displayName)
    let refreshable = wantsRefreshToken && config.sessions.refreshableAccessTokenMilliseconds != nil
    guard !config.isMainProcess, let replication else {
      return try await openHere(
        user: user, deviceID: deviceID, displayName: displayName, wantsRefreshToken: refreshable)
    }
    let answer = try await replication.call(
      "device_check_registered", arguments: [user.rawValue], instance: "master",
      body: [
        "device_id": deviceID.map(JSON.string) ?? .null, "initial_display_name": displayName.map(JSON.string) ?? .null,
        "is_guest": false, "is_appservice_ghost": false, "should_issue_refresh_token": .bool(refreshable),
        "auth_provider_id": .null, "auth_provider_session_id": .null,
      ], cached: true)
    return NewSession(
      deviceID: try answer.requireString("device_id"), accessToken: try answer.requireString("access_token"),
      validUntilMilliseconds: try answer.optionalInteger("valid_until_ms"),
      refreshToken: try answer.optionalString("refresh_token"))
  }

  /// Opens a session on the main process, for itself or for a worker that asks.
  public func openHere(
    user: UserID, deviceID: String?, displayName: String?, wantsRefreshToken: Bool
  ) async throws -> NewSession {
    let device = try await devices.ensure(deviceID, of: user, displayName: displayName)
    let now = clock.nowMilliseconds
    let session = config.sessions.lifetimeMilliseconds.map { now + $0 }
    guard wantsRefreshToken, let lifetime = config.sessions.refreshableAccessTokenMilliseconds else {
      let fixed = config.sessions.nonrefreshableAccessTokenMilliseconds.map { now + $0 }
      let end = Self.earlier(session, fixed)
      return try await issue(user: user, device: device, validUntil: end, refresh: nil, now: now)
    }
    let refresh = TokenGenerator.refreshToken(for: user)
    let refreshID = try await storage.accessTokens.insertRefreshToken(
      refresh, user: user, deviceID: device,
      expiryMilliseconds: Self.earlier(session, config.sessions.refreshTokenMilliseconds.map { now + $0 }),
      sessionExpiryMilliseconds: session)
    return try await issue(
      user: user, device: device, validUntil: Self.earlier(session, now + lifetime), refresh: (refresh, refreshID),
      now: now)
  }

  /// Exchanges a refresh token. Served by the main process.
  ///
  /// The old tokens stay good until one of the new ones is used, so that a lost answer does not log the client out.
  /// - Throws: `MatrixError` 401 `M_UNKNOWN_TOKEN` for an unknown token, 403 `M_FORBIDDEN` for a spent or expired one.
  public func refresh(_ token: String) async throws -> NewSession {
    guard token.utf8.count <= 1024, let old = try await storage.accessTokens.lookupRefreshToken(token) else {
      throw MatrixError.unknownToken()
    }
    let now = clock.nowMilliseconds
    guard !old.isNextTokenUsed, !old.isNextTokenRefreshed else {
      throw MatrixError.forbidden("The refresh token has been used already")
    }
    for end in [old.expiryMilliseconds, old.sessionExpiryMilliseconds] {
      if let end, end < now { throw MatrixError.forbidden("The refresh token has expired") }
    }
    let refresh = TokenGenerator.refreshToken(for: old.userID)
    let refreshID = try await storage.accessTokens.insertRefreshToken(
      refresh, user: old.userID, deviceID: old.deviceID,
      expiryMilliseconds: Self.earlier(
        old.sessionExpiryMilliseconds, config.sessions.refreshTokenMilliseconds.map { now + $0 }),
      sessionExpiryMilliseconds: old.sessionExpiryMilliseconds)
    let end = Self.earlier(
      old.sessionExpiryMilliseconds, config.sessions.refreshableAccessTokenMilliseconds.map { now + $0 })
    let session = try await issue(
      user: old.userID, device: old.deviceID, validUntil: end, refresh: (refresh, refreshID), now: now)
    try await storage.accessTokens.replaceRefreshToken(old.tokenID, with: refreshID)
    return session
  }

  /// Closes the session that a request was made with: its device goes with it.
  public func close(_ requester: Requester, accessToken: String) async throws {
    guard let device = requester.deviceID else {
      try await storage.accessTokens.delete(accessToken)
      return
    }
    try await devices.delete([device], of: requester.userID)
  }

  /// Closes every session of a user.
  public func closeAll(of user: UserID) async throws {
    let all = try await storage.devices.devices(of: user).map(\.deviceID)
    try await devices.delete(all, of: user)
    try await storage.accessTokens.deleteTokens(of: user, devices: nil)
  }

  private func issue(
    user: UserID, device: String, validUntil: Int64?, refresh: (token: String, id: Int64)?, now: Int64
  ) async throws -> NewSession {
    let token = TokenGenerator.accessToken(for: user)
    try await storage.accessTokens.insert(
      NewAccessToken(
        userID: user, token: token, deviceID: device, validUntilMilliseconds: validUntil, refreshTokenID: refresh?.id),
      nowMilliseconds: now)
    return NewSession(
      deviceID: device, accessToken: token, validUntilMilliseconds: validUntil, refreshToken: refresh?.token)
  }

  private static func earlier(_ first: Int64?, _ second: Int64?) -> Int64? {
    guard let first, let second else { return first ?? second }
    return min(first, second)
  }
}
