import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// A point in all streams, as a client sends it.
public typealias StreamPlace = StreamToken

/// The answer of `/events`: what happened after a token, or is about to, in all rooms of a user or in one. It was there before `/sync`.
public final class EventStreamService: Sendable {
  /// What a client asks for.
  public struct Query: Sendable {
    /// The user and the device.
    public let requester: Requester
    /// The point after which news counts; nil for now.
    public let from: StreamToken?
    /// The only room that is of interest; nil for all that the user is in.
    public let room: RoomID?
    /// The greatest number of room events.
    public let limit: Int
    /// The time to wait for news, in milliseconds.
    public let timeoutMilliseconds: Int64
    /// Whether events are wanted as servers exchange them.
    public let isRaw: Bool

    /// Makes a query; a wait lasts for half a second at least, as on Synapse, and for a day at most.
    public init(
      requester: Requester, from: StreamToken?, room: RoomID?, limit: Int, timeoutMilliseconds: Int64, isRaw: Bool
    ) {
      self.requester = requester
      self.from = from
      self.room = room
      self.limit = min(max(limit, 1), HistoryService.greatestLimit)
      self.timeoutMilliseconds = timeoutMilliseconds == 0 ? 0 : min(max(timeoutMilliseconds, 500), 24 * 3_600_000)
      self.isRaw = isRaw
    }
  }

  /// The rooms of a query, and with what right they are looked into.
  struct Scope: Sendable {
    let rooms: Set<RoomID>
    let isPeeking: Bool
    /// Whom the notifier wakes: somebody who looks into a room without being in it is known to it by another name, so that their syncs stay
    /// what they are.
    let listener: UserID
  }

  let sync: SyncService
  let snapshots: SnapshotService
  private let blockedRooms: RoomStore

  init(sync: SyncService, snapshots: SnapshotService, blockedRooms: RoomStore) {
    self.sync = sync
    self.snapshots = snapshots
    self.blockedRooms = blockedRooms
  }

  /// Begins to work on the body of the response.
  ///
  /// - Parameter completion: called once, on whatever thread: the body, or `CancellationError` after the request was given up.
  /// - Returns: what gives the request up.
  /// - Throws: `MatrixError` 403 when the user may not look into the room.
  public func begin(
    _ query: Query, completion: @escaping @Sendable (Result<[UInt8], any Error>) -> Void
  ) async throws -> @Sendable () -> Void {
    let scope = try await scope(query)
    let from: StreamToken
    if let asked = query.from {
      from = try await sync.bounded(asked)
      _ = await sync.waitUntilReached(from)
    } else {
      from = sync.tokens.current()
    }
    let poll = LongPoll(
      sync.notifier, user: scope.listener, timeoutMilliseconds: query.timeoutMilliseconds,
      look: { [self] in
        let mark = try await sync.notifier.begin(scope.listener) { [self] in
          scope.isPeeking ? Array(scope.rooms) : try await joinedRooms(query.requester.userID)
        }
        let current = scope.isPeeking || query.room != nil ? scope : try await self.scope(query)
        let found = try await chunk(query, current, from: from)
        return LongPoll.Look(mark: mark, finding: found.body, isNews: found.isNews)
      }, end: completion)
    return { poll.cancel() }
  }

  private func joinedRooms(_ user: UserID) async throws -> [RoomID] {
    try await sync.stores.memberships.rooms(for: user, memberships: [.join]).map(\.roomID)
  }

  private func scope(_ query: Query) async throws -> Scope {
    let user = query.requester.userID
    guard let room = query.room else {
      return Scope(rooms: Set(try await joinedRooms(user)), isPeeking: false, listener: user)
    }
    guard try await !blockedRooms.isBlocked(room) else {
      throw MatrixError.forbidden("This room has been blocked on this server")
    }
    let access = sync.rooms.history.access
    if try await access.isMember(user, of: room) { return Scope(rooms: [room], isPeeking: false, listener: user) }
    guard try await access.isWorldReadable(room) else { throw MatrixError.forbidden("Non-joined access not allowed") }
    return Scope(
      rooms: [room], isPeeking: true, listener: UserID(unchecked: "_PEEKING_\(room.rawValue)_\(user.rawValue)"))
  }
}
