import MatrixPrimitives
import RateLimits
import ServerConfig
import Stores

/// What users find out about each other: searches of the directory, and rooms that two are both in.
public final class UserDirectoryService: Sendable {
  /// The greatest number of users that a search finds.
  public static let mostFound = 50
  /// The number of rooms of a page.
  public static let roomsOnPage = 100

  private let settings: ProfileSettings
  private let stores: DirectoryStores
  private let accounts: AccountStore
  private let limiter: RateLimiter

  /// Makes the service.
  public init(stores: DirectoryStores, accounts: AccountStore) {
    let context = stores.context
    settings = context.config.profiles
    self.stores = stores
    self.accounts = accounts
    limiter = RateLimiter(context.config.rateLimits.userDirectory, clock: context.clock)
  }

  /// A page of what a search has found.
  public struct Result: Sendable {
    /// The users, the best matches first.
    public let users: [UserDirectoryStore.Found]
    /// Whether there are more.
    public let isLimited: Bool
  }

  /// Whether searches find anybody at all.
  public var isEnabled: Bool { settings.allowsDirectorySearch }

  /// Counts a search against `rc_user_directory`.
  ///
  /// - Throws: `MatrixError` 429.
  public func limit(_ requester: Requester) async throws {
    if try await accounts.isUnlimited(requester) { return }
    try limiter.check(requester.userID.rawValue)
  }

  /// Finds users by words of their names, or the beginnings of such words.
  ///
  /// - Parameter limit: the greatest number of users; more than ``mostFound`` are never found.
  public func search(_ term: Text, by user: UserID, limit: Int) async throws -> Result {
    let words = SearchWords.split(term)
    // No lexeme is longer, so nothing is found by it.
    guard !words.isEmpty, words.allSatisfy({ $0.utf8.count < 2_046 }) else {
      return Result(users: [], isLimited: false)
    }
    let most = max(0, min(limit, Self.mostFound))
    let users = try await stores.userDirectory.search(words, by: user, limit: most + 1, settings: settings)
    return Result(users: Array(users.prefix(most)), isLimited: users.count > most)
  }

  /// A page of rooms that two users are both in.
  public struct MutualRooms: Sendable {
    /// The rooms.
    public let rooms: [RoomID]
    /// How many there are on all pages.
    public let count: Int
    /// Where the next page begins; nil for the last.
    public let next: Text?
  }

  /// Lists rooms that two users are both in.
  ///
  /// - Parameter batch: ``MutualRooms/next`` of the page before; a room of that name need not exist.
  /// - Throws: `MatrixError` 400 for the user's own name and for a batch that cannot be.
  public func mutualRooms(of user: UserID, with other: UserID, from batch: Text?) async throws -> MutualRooms {
    guard other != user else {
      throw MatrixError.invalidParam("You cannot request a list of shared rooms with yourself")
    }
    let last = try batch.map { batch throws(MatrixError) in
      guard let bytes = UnpaddedBase64.decode(batch), let room = Text(validating: bytes, as: UTF8.self) else {
        throw .invalidParam("Malformed from token")
      }
      return room
    }
    let all = try await stores.userDirectory.mutualRooms(user, other)
    let rest = last.map { last in all.filter { $0.rawValue > last } } ?? all
    let page = Array(rest.prefix(Self.roomsOnPage))
    let next = rest.count > page.count ? page.last.map { UnpaddedBase64.encodeURLSafe(Array($0.rawValue.utf8)) } : nil
    return MutualRooms(rooms: page, count: all.count, next: next)
  }
}
