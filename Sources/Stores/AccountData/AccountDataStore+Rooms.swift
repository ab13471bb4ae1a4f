import MatrixPrimitives
import Postgres

extension AccountDataStore {
  /// The type under which a client stores which rooms are talks with one user.
  public static let directRooms = "m.direct"

  /// Lists those of some users who have tagged a room or count it as a talk with one user.
  public func usersWithData(about room: RoomID, among users: [UserID]) async throws -> [UserID] {
    guard !users.isEmpty else { return [] }
    let names = users.map(\.rawValue)
    let rows = try await database.run(
      """
      SELECT user_id FROM room_tags WHERE room_id = \(room.rawValue) AND user_id = ANY(\(names)::text[])
      UNION
      SELECT user_id FROM account_data WHERE account_data_type = \(Self.directRooms)
        AND user_id = ANY(\(names)::text[]) AND position(\(room.rawValue) IN content) > 0
      """)
    return try rows.map { UserID(unchecked: try $0.get(0, as: Text.self)) }
  }
}
