import MatrixPrimitives

extension ReadBarrier {
  /// Waits for a user's account data, tags included.
  public func pass(accountDataOf user: UserID) async throws {
    try await pass(
      .accountData, .accountData,
      """
      SELECT stream_id, COALESCE(instance_name, 'master') FROM (
        (SELECT stream_id, instance_name FROM account_data WHERE user_id = \(user.rawValue)
          ORDER BY stream_id DESC LIMIT 1)
        UNION ALL
        (SELECT stream_id, instance_name FROM room_account_data WHERE user_id = \(user.rawValue)
          ORDER BY stream_id DESC LIMIT 1)
        UNION ALL
        (SELECT stream_id, instance_name FROM room_tags_revisions WHERE user_id = \(user.rawValue)
          ORDER BY stream_id DESC LIMIT 1)
      ) AS newest ORDER BY stream_id DESC LIMIT 1
      """)
  }
}
