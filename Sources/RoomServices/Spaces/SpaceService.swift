import MatrixEvents
import MatrixPrimitives
import Stores

/// Overviews of rooms for those who might join them, and the rooms below a space.
///
/// Other servers are not asked: of rooms in which no user of this one is, nothing is told.
public final class SpaceService: Sendable {
  /// A question for the rooms below a space.
  public struct HierarchyQuery: Sendable {
    /// The room to begin with.
    public let roomID: RoomID
    /// Whether rooms are left out that their space does not suggest.
    public let suggestedOnly: Bool
    /// The number of steps from the first room; nil without limit.
    public let maximumDepth: Int?
    /// The number of rooms on the page; nil for the greatest page.
    public let limit: Int?
    /// The token of an earlier page.
    public let from: Text?

    /// Makes a question.
    public init(roomID: RoomID, suggestedOnly: Bool, maximumDepth: Int?, limit: Int?, from: Text?) {
      self.roomID = roomID
      self.suggestedOnly = suggestedOnly
      self.maximumDepth = maximumDepth
      self.limit = limit
      self.from = from
    }
  }

  /// A page of the rooms below a space.
  public struct HierarchyPage: Sendable {
    /// The rooms in depth-first order, each with the events that put others into it.
    public var rooms: [(room: RoomOverview, children: [StoredEvent])]
    /// The token of the next page; nil on the last.
    public var next: Text?
  }

  /// The greatest number of rooms on one page (Synapse's).
  static let greatestPage = 50
  /// The greatest number of rooms that wait to be looked at; those beyond are left out.
  static let greatestQueue = 10_000
  /// The greatest number of rooms that are looked at for one page: most of a space's may be hidden from the user, or be nowhere at all.
  static let mostLookedAt = 1_000
  private static let sessionType = "room_hierarchy_pagination"
  private static let sessionLifetime: Int64 = 5 * 60_000

  private let stores: RoomStores
  private let rateLimiter: RoomRateLimiter

  init(stores: RoomStores, rateLimiter: RoomRateLimiter) {
    self.stores = stores
    self.rateLimiter = rateLimiter
  }

  // MARK: One room

  /// Reads what a user may know of a room, and the user's membership (nil for callers without an account).
  ///
  /// - Parameter mayAskOthers: whether the caller named servers to ask, which only changes the error for rooms that are not here.
  /// - Throws: `MatrixError` 404 for rooms that are unknown or not for this user to see, 400 when no server was named.
  public func overview(
    of room: RoomID, for user: UserID?, mayAskOthers: Bool
  ) async throws -> (room: RoomOverview, membership: Text?) {
    try await stores.barrier.pass(room: room)
    let memberships = try await memberships(of: user)
    let found = try await overviews([room], withChildren: false)[room]
    guard let found, found.includesLocalUsers else {
      guard mayAskOthers else { throw MatrixError.unknown("Missing via to query remote room", status: 400) }
      throw MatrixError.notFound("Room not found or is not accessible")
    }
    guard found.isShown(to: memberships) else { throw MatrixError.notFound("Room not found or is not accessible") }
    return (found, memberships.map { ($0[room] ?? .leave).rawValue })
  }

  private func memberships(of user: UserID?) async throws -> [RoomID: Membership]? {
    guard let user else { return nil }
    try await stores.barrier.pass(membershipsOf: user)
    let rooms = try await stores.memberships.allRooms(for: user)
    return Dictionary(rooms.map { ($0.roomID, $0.membership) }) { first, _ in first }
  }

  /// Reads overviews of rooms in three statements; rooms without state are absent.
  private func overviews(_ rooms: [RoomID], withChildren: Bool) async throws -> [RoomID: RoomOverview] {
    var types: [Text: Set<Text>?] = [:]
    for type in RoomOverview.types { types[type] = .some([""]) }
    if withChildren { types[RoomOverview.childType] = .some(nil) }
    let states = try await stores.state.currentState(rooms: rooms, filter: StateFilter(types: types))
    let events = try await stores.events.events(states.values.flatMap(\.values))
    let occupancy = try await stores.memberships.occupancy(of: Array(states.keys))
    var result: [RoomID: RoomOverview] = [:]
    for (room, state) in states {
      result[room] = RoomOverview(
        roomID: room, occupancy: occupancy[room], events: state.values.compactMap { events[$0] })
    }
    return result
  }

  // MARK: Many rooms

  /// Reads a page of the rooms below a room that the user may see, depth first.
  ///
  /// Cost: three statements for each space that is entered, and for each ``greatestPage`` of its rooms, at most ``mostLookedAt`` in all; then the
  /// page ends, be it empty.
  /// - Throws: `MatrixError` 403 when the first room is not for this user to see, 400 for a token that is none of this question, 429.
  public func hierarchy(_ query: HierarchyQuery, requester: Requester) async throws -> HierarchyPage {
    try await rateLimiter.check(.hierarchy, requester)
    try await stores.barrier.pass(room: query.roomID)
    let memberships = try await memberships(of: requester.userID)
    var known = try await overviews([query.roomID], withChildren: true)
    guard let root = known[query.roomID], root.includesLocalUsers, root.isShown(to: memberships) else {
      throw MatrixError.forbidden(
        "User \(requester.userID) not in room \(query.roomID), and room previews are disabled")
    }
    var walk = try await walk(query, requester.userID)
    let limit = min(query.limit ?? Self.greatestPage, Self.greatestPage)
    var page = HierarchyPage(rooms: [])
    // Rooms that are nowhere are not known either when they have been asked for.
    var asked: Set<RoomID> = [query.roomID]
    var count = 0
    while page.rooms.count < limit, count < Self.mostLookedAt, let place = walk.next() {
      count += 1
      if asked.insert(place.roomID).inserted {
        let wanted = [place.roomID] + walk.coming(Self.greatestPage).filter { asked.insert($0).inserted }
        known.merge(try await overviews(wanted, withChildren: true)) { first, _ in first }
      }
      guard let room = known[place.roomID], room.includesLocalUsers, room.isShown(to: memberships) else { continue }
      let children = room.children(suggestedOnly: query.suggestedOnly)
      page.rooms.append((room, children))
      if query.maximumDepth.map({ place.depth < $0 }) ?? true { walk.enter(children, depth: place.depth + 1) }
    }
    if !walk.isAtEnd {
      page.next = try await stores.paginationSessions.create(
        Self.sessionType, walk.json(query, requester.userID), lifetimeMilliseconds: Self.sessionLifetime)
    }
    return page
  }

  /// Begins a walk, or goes on with that of an earlier page.
  private func walk(_ query: HierarchyQuery, _ user: UserID) async throws -> HierarchyWalk {
    guard let token = query.from else { return HierarchyWalk(from: query.roomID) }
    guard let session = try await stores.paginationSessions.session(Self.sessionType, token),
      let walk = HierarchyWalk(session, query, user)
    else { throw MatrixError.invalidParam("Unknown pagination token") }
    return walk
  }
}
