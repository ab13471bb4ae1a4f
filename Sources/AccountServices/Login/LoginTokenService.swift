import MatrixPrimitives
import RateLimits
import ServerConfig
import Stores

/// Tokens by which a logged-in client lets another one in.
public final class LoginTokenService: Sendable {
  private let store: LoginTokenStore
  private let settings: SessionSettings
  private let clock: ServerClock
  /// One token a minute (as Synapse, where no setting changes it).
  private let limiter: RateLimiter

  init(settings: SessionSettings, store: LoginTokenStore, clock: ServerClock) {
    self.settings = settings
    self.store = store
    self.clock = clock
    limiter = RateLimiter(perSecond: 1.0 / 60, burst: 1, clock: clock)
  }

  /// Whether clients may ask for tokens.
  public var isEnabled: Bool { settings.allowsLoginTokens }
  /// Whether they have to show the password first.
  public var requiresPassword: Bool { settings.loginTokensRequireUIAuth }
  /// How long a token is valid.
  public var lifetimeMilliseconds: Int64 { settings.loginTokenMilliseconds }

  /// Makes a token.
  ///
  /// - Throws: `MatrixError` 429 for more than one a minute.
  public func make(for user: UserID) async throws -> Text {
    try limiter.check(user.rawValue.asciiLowercased)
    let token = TokenGenerator.loginToken()
    try await store.add(token, for: user, expiryMilliseconds: clock.nowMilliseconds + lifetimeMilliseconds)
    return token
  }
}

/// Tokens by which others learn from this server who a user is.
///
/// Source: the specification's module "OpenID".
public final class OpenIDService: Sendable {
  /// How long a token is valid (as Synapse).
  public static let lifetimeMilliseconds: Int64 = 3_600_000

  private let store: OpenIDTokenStore
  private let clock: ServerClock

  init(store: OpenIDTokenStore, clock: ServerClock) {
    self.store = store
    self.clock = clock
  }

  /// Makes a token.
  public func make(for user: UserID) async throws -> Text {
    let token = RandomString.letters(24)
    try await store.add(token, for: user, expiryMilliseconds: clock.nowMilliseconds + Self.lifetimeMilliseconds)
    return token
  }

  /// Finds whose a token is; nil for one that is unknown or too old.
  public func user(of token: Text) async throws -> UserID? {
    guard token.utf8.count <= 255, !token.utf8.contains(0) else { return nil }
    return try await store.user(of: token, nowMilliseconds: clock.nowMilliseconds)
  }
}
