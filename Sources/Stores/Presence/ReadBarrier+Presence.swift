import MatrixPrimitives

extension ReadBarrier {
  /// Waits for a user's presence.
  public func pass(presenceOf user: UserID) async throws {
    try await pass(
      .presence, .presence,
      """
      SELECT stream_id, COALESCE(instance_name, 'master') FROM presence_stream WHERE user_id = \(user.rawValue)
      ORDER BY stream_id DESC LIMIT 1
      """)
  }
}
