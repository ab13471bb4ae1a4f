import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Stores

/// The right of some rooms' members to join others (join rules `restricted` and `knock_restricted`).
///
/// https://spec.matrix.org/v1.16/client-server-api/#restricted-rooms
struct RestrictedJoins: Sendable {
  let memberships: MembershipStore
  let state: StateService
  let serverName: Text

  /// Finds the local user in whose name this server lets somebody in; nil when the room is not restricted.
  ///
  /// - Throws: `MatrixError` 403 when the user is in none of the required rooms, 400 `M_UNABLE_TO_GRANT_JOIN` when no local
  ///   member may invite.
  func voucher(for user: UserID, chain: EventChain) async throws -> UserID? {
    let rules = try await chain.stateEvent(StateKey("m.room.join_rules"), state)
    let rule = rules?.content["join_rule"]?.string
    let isRestricted =
      (rule == "restricted" && chain.version.allowsRestrictedJoins)
      || (rule == "knock_restricted" && chain.version.allowsKnockRestrictedJoins)
    guard isRestricted else { return nil }
    guard try await isInRequiredRoom(user, rules) else {
      throw MatrixError.forbidden("You do not belong to any of the required rooms/spaces to join this room.")
    }
    return try await inviter(chain)
  }

  private func isInRequiredRoom(_ user: UserID, _ rules: Event?) async throws -> Bool {
    for condition in rules?.content["allow"]?.elements?.map({ $0 }) ?? [] {
      guard condition["type"]?.string == "m.room_membership", let text = condition["room_id"]?.string,
        let room = RoomID(text)
      else { continue }
      if try await memberships.isJoined(user, in: room) { return true }
    }
    return false
  }

  /// Picks the local member with the greatest power, who must be allowed to invite.
  private func inviter(_ chain: EventChain) async throws -> UserID {
    let events = try await chain.stateEvents([StateKey("m.room.create"), StateKey("m.room.power_levels")], state)
    let levels = PowerLevels(
      create: events[StateKey("m.room.create")], powerLevels: events[StateKey("m.room.power_levels")])
    guard let room = chain.roomID else { throw MatrixError(.unableToGrantJoin, "No local member may invite") }
    let members = try await memberships.localJoinedUsers(room)
    let best = members.max { (levels.level(of: $0), $1) < (levels.level(of: $1), $0) }
    guard let best, levels.level(of: best) >= levels.invite else {
      throw MatrixError(.unableToGrantJoin, "Unable to issue invites in the room: no local member may invite")
    }
    return best
  }
}
