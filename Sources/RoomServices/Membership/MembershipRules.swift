import EventPersistence
import MatrixEvents
import MatrixPrimitives
import Stores

/// The check of a membership change when its turn in the room has come: what the authorisation rules do not say, or say
/// less clearly.
struct MembershipRules: Sendable {
  let memberships: MembershipStore
  let state: StateService
  let serverName: Text

  func prepare(
    _ draft: ClientEventDraft, change: MembershipRequest, requester: Requester, chain: EventChain
  ) async throws -> PreparedDraft {
    let current = try await chain.stateEvent(StateKey("m.room.member", change.target.rawValue), state)
    let membership = current?.membership
    try checkTransition(change.action, from: membership)
    if let current, current.sender == requester.userID, current.content.json == draft.content {
      return .unnecessary(current.eventID)
    }
    guard change.action == .join else { return .send(draft) }
    if requester.isGuest { try await checkGuestAccess(chain) }
    if membership == "join" || membership == "invite" { return .send(draft) }
    guard
      let voucher = try await RestrictedJoins(memberships: memberships, state: state, serverName: serverName)
        .voucher(for: change.target, chain: chain)
    else { return .send(draft) }
    var prepared = draft
    if case .object(var content) = draft.content {
      content["join_authorised_via_users_server"] = .string(voucher.rawValue)
      prepared.content = .object(content)
    }
    return .send(prepared)
  }

  private func checkTransition(_ action: MembershipAction, from membership: Text?) throws(MatrixError) {
    if action == .unban, membership != "ban" {
      throw MatrixError(.badState, "Cannot unban user who was not banned (membership=\(membership ?? "None"))")
    }
    if membership == "ban", action != .ban, action != .unban, action != .leave {
      throw MatrixError(.badState, "Cannot \(action.rawValue) user who was banned")
    }
    if action == .kick, membership == nil || membership == "leave" || membership == "ban" {
      throw .forbidden("The target user is not in the room")
    }
  }

  private func checkGuestAccess(_ chain: EventChain) async throws {
    let event = try await chain.stateEvent(StateKey("m.room.guest_access"), state)
    if event?.content["guest_access"]?.string != "can_join" { throw MatrixError.forbidden("Guest access not allowed") }
  }
}
