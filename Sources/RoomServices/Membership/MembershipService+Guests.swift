import MatrixEvents
import MatrixPrimitives
import Stores

extension MembershipService {
  /// Has this server's guests leave a room that does not admit guests any more. A guest who cannot leave is passed over.
  ///
  /// The guests leave of themselves, as the specification wants, so that no power to remove them is needed.
  public func dismissGuests(from room: RoomID) async throws {
    let setting = try await stores.currentStateEvent(room, StateKey("m.room.guest_access"))
    guard setting?.content["guest_access"]?.string != "can_join" else { return }
    let members = try await stores.memberships.members(room)
    let local = (members.users(.join) + members.users(.invite)).filter { $0.serverName == config.serverName }
    for guest in try await accounts.guests(among: local) {
      do {
        try await change(
          MembershipRequest(roomID: room, target: guest, action: .leave, ratelimit: false),
          requester: Requester(userID: guest, isGuest: true, authenticatedEntity: config.serverName))
      } catch let error as MatrixError where error.status < 500 {
        continue
      }
    }
  }
}
