import MatrixEvents
import MatrixPrimitives

/// The facts about this server's users that rooms depend on; the builder of the services supplies them.
public struct LocalUsers: Sendable {
  /// A user's global profile.
  public struct Profile: Sendable {
    /// The display name.
    public var displayName: Text?
    /// The avatar's address.
    public var avatarURL: Text?

    /// Makes a profile.
    public init(displayName: Text? = nil, avatarURL: Text? = nil) {
      self.displayName = displayName
      self.avatarURL = avatarURL
    }
  }

  private let profileOf: @Sendable (UserID) async throws -> Profile
  private let adminStatus: @Sendable (UserID) async throws -> Bool
  private let suspension: @Sendable (UserID) async throws -> Bool
  private let inviteBlock: @Sendable (_ invited: UserID, _ inviter: UserID) async throws -> Bool

  /// Makes the answers of functions.
  public init(
    profile: @escaping @Sendable (UserID) async throws -> Profile,
    isAdmin: @escaping @Sendable (UserID) async throws -> Bool,
    isSuspended: @escaping @Sendable (UserID) async throws -> Bool,
    blocksInvites: @escaping @Sendable (_ invited: UserID, _ inviter: UserID) async throws -> Bool
  ) {
    profileOf = profile
    adminStatus = isAdmin
    suspension = isSuspended
    inviteBlock = blocksInvites
  }

  /// Returns a user's global profile; empty when there is none.
  public func profile(_ user: UserID) async throws -> Profile { try await profileOf(user) }

  /// Returns whether a user administrates this server.
  public func isAdmin(_ user: UserID) async throws -> Bool { try await adminStatus(user) }

  /// Returns whether a user's account is suspended: it may read, and leave rooms.
  public func isSuspended(_ user: UserID) async throws -> Bool { try await suspension(user) }

  /// Returns whether a user does not want to be invited by another (`m.invite_permission_config`, MSC4155).
  public func blocksInvites(_ invited: UserID, from inviter: UserID) async throws -> Bool {
    try await inviteBlock(invited, inviter)
  }
}
