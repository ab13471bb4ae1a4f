import MatrixPrimitives
import Postgres

extension MembershipStore {
  /// The number of users in a room.
  public struct Occupancy: Sendable, Hashable {
    /// The number of joined members.
    public let joined: Int64
    /// Whether a user of this server is one of them.
    public let includesLocalUsers: Bool
  }

  /// Counts the joined members of many rooms; rooms without any are absent.
  ///
  /// Cost: nothing for rooms whose members are cached, one statement for all others together.
  public func occupancy(of rooms: [RoomID]) async throws -> [RoomID: Occupancy] {
    var result: [RoomID: Occupancy] = [:]
    var missing: [Text] = []
    for room in rooms {
      if let cached = members.peek(room) {
        guard cached.count(.join) > 0 else { continue }
        result[room] = Occupancy(
          joined: Int64(cached.count(.join)), includesLocalUsers: !cached.localJoinedUsers.isEmpty)
      } else {
        missing.append(room.rawValue)
      }
    }
    guard !missing.isEmpty else { return result }
    let suffix = ":" + serverName
    let found = try await database.run(
      """
      SELECT room_id, count(*), COALESCE(bool_or(right(state_key, length(\(suffix)::text)) = \(suffix)::text), false)
      FROM current_state_events
      WHERE room_id = ANY(\(missing)::text[]) AND type = 'm.room.member' AND membership = 'join' GROUP BY room_id
      """)
    for row in found {
      let (room, joined, local) = try row.decode(Text.self, Int64.self, Bool.self)
      result[RoomID(unchecked: room)] = Occupancy(joined: joined, includesLocalUsers: local)
    }
    return result
  }
}
