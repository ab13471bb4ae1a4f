import MatrixPrimitives
import RateLimits
import Stores

/// Reports of rooms, users and events.
public final class ReportService: Sendable {
  /// The longest reason for a report of a user, in characters.
  public static let longestReason = 1000

  private let stores: DirectoryStores
  private let rooms: RoomStore
  private let accounts: AccountStore
  private let limiter: RateLimiter
  private let clock: ServerClock

  /// Makes the service.
  public init(stores: DirectoryStores, rooms: RoomStore, accounts: AccountStore) {
    self.stores = stores
    self.rooms = rooms
    self.accounts = accounts
    clock = stores.context.clock
    limiter = RateLimiter(stores.context.config.rateLimits.reports, clock: clock)
  }

  /// Reports an event that the requester has been found to see.
  ///
  /// - Parameters:
  ///   - reason: what the requester says; may be missing.
  ///   - body: the request's body, which is kept.
  public func report(event: EventID, in room: RoomID, by requester: Requester, reason: Text?, body: JSON) async throws {
    try await stores.reports.add(
      event: event, in: room, by: requester.userID, reason: reason, content: body,
      receivedMilliseconds: clock.nowMilliseconds)
  }

  /// Reports a room, which the requester need not be in.
  ///
  /// - Throws: `MatrixError` 404 for a room that the server does not know, 429.
  public func report(room: RoomID, by requester: Requester, reason: Text) async throws {
    try await limit(requester)
    guard try await rooms.room(room) != nil else { throw MatrixError.notFound("Room does not exist") }
    try await stores.reports.add(
      room: room, by: requester.userID, reason: reason, receivedMilliseconds: clock.nowMilliseconds)
  }

  /// Reports a user. Nobody learns from the answer whether there is such a user, and users of other servers are nobody's business here.
  ///
  /// - Throws: `MatrixError` 400 for a reason that is too long, 429.
  public func report(user: Text, by requester: Requester, reason: Text) async throws {
    try await limit(requester)
    guard reason.unicodeScalars.count <= Self.longestReason else {
      throw MatrixError.badJSON("Reason must be less than 1000 characters")
    }
    guard let target = UserID(user), target.serverName == stores.context.config.serverName,
      try await accounts.account(target) != nil
    else { return }
    try await stores.reports.add(
      target: target, by: requester.userID, reason: reason, receivedMilliseconds: clock.nowMilliseconds)
  }

  private func limit(_ requester: Requester) async throws {
    if try await accounts.isUnlimited(requester) { return }
    try limiter.check(requester.userID.rawValue)
  }
}
