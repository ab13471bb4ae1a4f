import MatrixEvents
import MatrixPrimitives
import Postgres

extension MembershipStore {
  /// Finds those among some users who are in a room together with `user`, who is not among them.
  ///
  /// Cost: nothing for rooms whose members are remembered, one statement for all others.
  public func sharing(with user: UserID, among others: Set<UserID>) async throws -> Set<UserID> {
    var open = others
    open.remove(user)
    var (found, unknown): (Set<UserID>, [Text]) = ([], [])
    guard !open.isEmpty else { return [] }
    for room in try await rooms(for: user, memberships: [.join]) where !open.isEmpty {
      guard let members = members.peek(room.roomID) else {
        unknown.append(room.roomID.rawValue)
        continue
      }
      let here =
        members.count(.join) < open.count
        ? open.intersection(members.users(.join)) : open.filter { members[$0]?.membership == .join }
      found.formUnion(here)
      open.subtract(here)
    }
    guard !open.isEmpty, !unknown.isEmpty else { return found }
    let rows = try await database.run(
      """
      SELECT DISTINCT state_key FROM current_state_events
      WHERE type = 'm.room.member' AND membership = 'join' AND state_key = ANY(\(open.map(\.rawValue))::text[])
        AND room_id = ANY(\(unknown)::text[])
      """)
    for row in rows { found.insert(UserID(unchecked: try row.get(0, as: Text.self))) }
    return found
  }
}

/// How a user's relation to a room changed by one event.
public struct MemberDelta: Sendable, Hashable {
  /// The user.
  public let user: UserID
  /// The relation since; nil when there is none.
  public let membership: Membership?
  /// The relation before; nil when there was none.
  public let previous: Membership?
}

extension EventStore {
  /// Reads who came into rooms and who left them between two points (`after < change <= upTo`), in stream order.
  ///
  /// Cost: nothing when no room's state has changed, else one statement.
  /// - Parameter limit: the greatest number of rows.
  public func memberDeltas(
    rooms: [RoomID], after: RoomStreamToken, upTo: RoomStreamToken, limit: Int
  ) async throws -> [MemberDelta] {
    let candidates = rooms.filter { stateChanges.hasChanged($0.rawValue, since: after.stream) }
    guard !candidates.isEmpty, after != upTo else { return [] }
    let rows = try await database.run(
      """
      SELECT delta.stream_id, COALESCE(delta.instance_name, 'master'), delta.state_key, new.membership, old.membership
      FROM current_state_delta_stream AS delta
      LEFT JOIN room_memberships AS new ON new.event_id = delta.event_id
      LEFT JOIN room_memberships AS old ON old.event_id = delta.prev_event_id
      WHERE delta.stream_id > \(after.stream)::bigint AND delta.stream_id <= \(upTo.position.maximum)::bigint
        AND delta.room_id = ANY(\(candidates.map(\.rawValue))::text[]) AND delta.type = 'm.room.member'
      ORDER BY delta.stream_id LIMIT \(Int64(limit))::bigint
      """)
    var deltas: [MemberDelta] = []
    for row in rows {
      let (id, instance, user, new, old) = try row.decode(
        Int64.self, Text.self, Text.self, Text?.self, Text?.self)
      guard upTo.position.covers(id, instance: instance), !after.position.covers(id, instance: instance) else {
        continue
      }
      deltas.append(
        MemberDelta(
          user: UserID(unchecked: user), membership: new.flatMap(Membership.init(rawValue:)),
          previous: old.flatMap(Membership.init(rawValue:))))
    }
    return deltas
  }
}
