import MatrixEvents
import MatrixPrimitives
import Postgres

extension MembershipStore {
  /// Marks all of a user's memberships of a room as forgotten, within a transaction.
  ///
  /// The caller also sends the invalidations of ``forgetInvalidations(_:_:)``.
  public func enqueueForget(_ user: UserID, _ room: RoomID, in txn: Transaction) {
    txn.enqueue(
      "UPDATE room_memberships SET forgotten = 1 WHERE user_id = \(user.rawValue) AND room_id = \(room.rawValue)")
    txn.enqueue(
      """
      UPDATE sliding_sync_membership_snapshots SET forgotten = 1
      WHERE user_id = \(user.rawValue) AND room_id = \(room.rawValue)
      """)
  }

  /// Lists what other processes must drop when a user has forgotten a room.
  public static func forgetInvalidations(_ user: UserID, _ room: RoomID) -> [CacheInvalidation] {
    [
      CacheInvalidation("did_forget", [user.rawValue, room.rawValue]),
      CacheInvalidation("get_forgotten_rooms_for_user", [user.rawValue]),
      CacheInvalidation(
        "get_sliding_sync_rooms_for_user_from_membership_snapshots", [user.rawValue]),
    ]
  }

  /// Marks a room that a user has left as forgotten, and tells all processes.
  public func forget(_ user: UserID, _ room: RoomID) async throws {
    try await invalidator.withInvalidations("forget_room", Self.forgetInvalidations(user, room)) { txn in
      self.enqueueForget(user, room, in: txn)
    }
    roomsOfUser.invalidate(user)
  }
}
