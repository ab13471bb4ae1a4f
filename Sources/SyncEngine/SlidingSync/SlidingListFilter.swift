import MatrixEvents
import MatrixPrimitives
import Stores

/// The filter of one list, with everything at hand that it looks at.
struct SlidingListFilter: Sendable {
  private let filters: SlidingListFilters
  private let direct: Set<RoomID>
  private let data: UserAccountData
  private let name: SearchText?
  /// What was known of the rooms in which the user is not, by the membership event.
  private var snapshots: [EventID: SlidingRoomStore.Snapshot] = [:]
  /// The rooms of the spaces; nil when they do not matter.
  private var spaceRooms: Set<RoomID>?

  /// Reads what the filter looks at.
  ///
  /// - Parameters:
  ///   - data: the user's account data.
  ///   - direct: the rooms that the user has with single people.
  ///   - outside: the user's relations to rooms in which the user is not.
  init(
    _ filters: SlidingListFilters, service: SlidingSyncService, user: UserID, data: UserAccountData,
    direct: Set<RoomID>, outside: some Sequence<RoomForUser>
  ) async throws {
    self.filters = filters
    self.direct = direct
    self.data = data
    name = filters.nameContains.map { SearchText($0) }
    if filters.looksAtRooms { snapshots = try await service.slidingRooms.snapshots(Array(outside), of: user) }
    if let spaces = filters.spaces { spaceRooms = try await Self.rooms(of: spaces, service, user) }
  }

  /// Finds the rooms that the spaces name in which the user is.
  private static func rooms(
    of spaces: [Text], _ service: SlidingSyncService, _ user: UserID
  ) async throws -> Set<RoomID> {
    let named = Set(spaces.map { RoomID(unchecked: $0) })
    let joined = try await service.stores.memberships.rooms(for: user, memberships: [.join]).map(\.roomID)
    let states = try await service.stores.state.currentState(
      rooms: joined.filter { named.contains($0) }, filter: StateFilter(types: ["m.space.child": nil]))
    let children = try await service.stores.events.orderedEvents(states.values.flatMap(\.values))
    // A child without servers to join by has been taken out of the space.
    return Set(
      children.filter { $0.content["via"]?.elements != nil }.compactMap(\.stateKey).map { RoomID(unchecked: $0) })
  }

  /// Returns whether a room is in the list.
  ///
  /// - Parameter joined: what is known of a room in which the user is.
  func passes(_ room: RoomForUser, _ joined: SlidingRoomStore.Room?) -> Bool {
    if let isDirect = filters.isDirect, direct.contains(room.roomID) != isDirect { return false }
    if let isInvite = filters.isInvite, (room.membership == .invite) != isInvite { return false }
    if let spaceRooms, !spaceRooms.contains(room.roomID) { return false }
    guard passesTags(room.roomID) else { return false }
    guard filters.looksAtRooms else { return true }
    if let joined { return passes(joined.type, joined.name, joined.isEncrypted) }
    // Where nothing is known of a room it is in no list that asks.
    guard let snapshot = snapshots[room.eventID], snapshot.hasKnownState else {
      return filters.isEncrypted == nil && filters.types == nil && filters.excludedTypes == nil && name == nil
    }
    return passes(snapshot.type, snapshot.name, snapshot.isEncrypted)
  }

  private func passes(_ type: Text?, _ roomName: Text?, _ isEncrypted: Bool) -> Bool {
    if let wanted = filters.isEncrypted, isEncrypted != wanted { return false }
    if let types = filters.types, !types.contains(type) { return false }
    if let excluded = filters.excludedTypes, excluded.contains(type) { return false }
    guard let name else { return true }
    return roomName.map { SearchText($0).contains(name) } ?? false
  }

  private func passesTags(_ room: RoomID) -> Bool {
    guard filters.tags != nil || filters.excludedTags != nil else { return true }
    let tags = data.tags[room]?.tags ?? [:]
    if let wanted = filters.tags, !wanted.contains(where: { tags[$0] != nil }) { return false }
    return !(filters.excludedTags ?? []).contains { tags[$0] != nil }
  }
}
