import MatrixPrimitives
import Postgres
import Synchronization

/// Everything about an access token that authenticating a request needs, from one query.
public final class TokenLookup: Sendable {
  /// The user that the token acts for.
  public let userID: UserID
  /// The user that owns the token: an administrator when the token was made to act as somebody else.
  public let tokenOwner: UserID
  /// The row's id.
  public let tokenID: Int64
  /// The device of the session.
  public let deviceID: Text?
  /// After this time, in milliseconds since 1970, the token asks for a soft logout; nil never.
  public let validUntilMilliseconds: Int64?
  /// Whether a refreshed token has been used for a request (its predecessor is then void).
  public let isUsed: Bool
  /// Whether the token is a guest's.
  public let isGuest: Bool
  /// Whether what the account sends is silently dropped.
  public let isShadowBanned: Bool
  /// Whether the account was deactivated.
  public let isDeactivated: Bool
  /// Whether an administrator has locked the account.
  public let isLocked: Bool
  /// Whether the account may read but not act.
  public let isSuspended: Bool
  /// Whether the token is a server administrator's.
  public let isAdmin: Bool
  private let confirmed: Atomic<Int64>

  init(
    userID: UserID, tokenOwner: UserID, tokenID: Int64, deviceID: Text?, validUntilMilliseconds: Int64?,
    isUsed: Bool, isGuest: Bool, isShadowBanned: Bool, isDeactivated: Bool, isLocked: Bool, isSuspended: Bool,
    isAdmin: Bool, confirmedAt: Int64
  ) {
    self.userID = userID
    self.tokenOwner = tokenOwner
    self.tokenID = tokenID
    self.deviceID = deviceID
    self.validUntilMilliseconds = validUntilMilliseconds
    self.isUsed = isUsed
    self.isGuest = isGuest
    self.isShadowBanned = isShadowBanned
    self.isDeactivated = isDeactivated
    self.isLocked = isLocked
    self.isSuspended = isSuspended
    self.isAdmin = isAdmin
    confirmed = Atomic(confirmedAt)
  }

  /// The time at which the database last confirmed the same, by the process's monotonic clock in milliseconds.
  public var confirmedAt: Int64 { confirmed.load(ordering: .relaxed) }

  /// Notes that the database said the same at a moment of the monotonic clock.
  public func confirm(at milliseconds: Int64) { confirmed.store(milliseconds, ordering: .relaxed) }

  /// Returns whether another lookup found the same.
  public func isSame(as other: TokenLookup) -> Bool {
    (userID, tokenOwner, tokenID, deviceID, validUntilMilliseconds)
      == (other.userID, other.tokenOwner, other.tokenID, other.deviceID, other.validUntilMilliseconds)
      && [isUsed, isGuest, isShadowBanned, isDeactivated, isLocked, isSuspended, isAdmin]
        == [
          other.isUsed, other.isGuest, other.isShadowBanned, other.isDeactivated, other.isLocked, other.isSuspended,
          other.isAdmin,
        ]
  }
}

extension TokenLookup {
  static let selection: SQL = """
    SELECT users.name, tokens.user_id, tokens.id, tokens.device_id, tokens.valid_until_ms, tokens.used,
           users.is_guest, users.shadow_banned, users.deactivated, users.locked, users.suspended, users.admin,
           tokens.token
    FROM access_tokens AS tokens
    INNER JOIN users ON users.name = coalesce(tokens.puppets_user_id, tokens.user_id)
    """

  convenience init(_ row: PostgresRow, confirmedAt: Int64) throws {
    self.init(
      userID: UserID(unchecked: try row.get(0, as: Text.self)),
      tokenOwner: UserID(unchecked: try row.get(1, as: Text.self)), tokenID: try row.get(2, as: Int64.self),
      deviceID: try row.get(3, as: Text?.self), validUntilMilliseconds: try row.get(4, as: Int64?.self),
      isUsed: try row.get(5, as: Bool?.self) ?? false, isGuest: try row.get(6, as: Int64.self) != 0,
      isShadowBanned: try row.get(7, as: Bool?.self) ?? false, isDeactivated: try row.get(8, as: Int64.self) != 0,
      isLocked: try row.get(9, as: Bool.self), isSuspended: try row.get(10, as: Bool.self),
      isAdmin: try row.get(11, as: Int64.self) != 0, confirmedAt: confirmedAt)
  }
}
