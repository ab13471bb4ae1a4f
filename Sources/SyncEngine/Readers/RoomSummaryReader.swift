import MatrixEvents
import MatrixPrimitives
import Stores

/// The reader of what clients without all members cannot work out themselves.
final class RoomSummaryReader: Sendable {
  private static let namingKeys = [StateKey(EventType.name), StateKey(EventType.canonicalAlias)]
  private static let mostHeroes = 5

  private let memberships: MembershipStore
  private let state: StateStore
  private let events: EventStore
  private let members: SyncStore

  init(memberships: MembershipStore, state: StateStore, events: EventStore, members: SyncStore) {
    self.memberships = memberships
    self.state = state
    self.events = events
    self.members = members
  }

  /// Reads the summaries of rooms.
  ///
  /// - Parameter user: the reader, after whom no room is called.
  func summaries(of rooms: [RoomID], for user: UserID) async throws -> [RoomID: RoomSummary] {
    guard !rooms.isEmpty else { return [:] }
    let nameless = try await roomsWithoutName(rooms)
    let members = try await members.namingMembers(of: Array(nameless))
    var summaries: [RoomID: RoomSummary] = [:]
    for room in rooms {
      let counts = try await memberships.memberCounts(room)
      let heroes = nameless.contains(room) ? Self.heroes(among: members[room] ?? [], for: user) : nil
      summaries[room] = RoomSummary(joined: counts.joined, invited: counts.invited, heroes: heroes)
    }
    return summaries
  }

  private static func heroes(among members: [(user: UserID, membership: Text)], for user: UserID) -> [UserID] {
    let others = members.filter { $0.user != user }
    let present = others.filter { $0.membership == "join" || $0.membership == "invite" }
    return (present.isEmpty ? others : present).prefix(mostHeroes).map(\.user)
  }

  private func roomsWithoutName(_ rooms: [RoomID]) async throws -> Set<RoomID> {
    let states = try await state.currentState(rooms: rooms, filter: .keys(Self.namingKeys))
    let events = try await events.events(states.values.flatMap(\.values))
    return Set(
      rooms.filter { room in
        !(states[room]?.values.contains { id in
          let content = events[id]?.content
          return content?["name"]?.string?.isEmpty == false || content?["alias"]?.string?.isEmpty == false
        } ?? false)
      })
  }
}
