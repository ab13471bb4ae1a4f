import MatrixPrimitives

extension ReadBarrier {
  /// Waits for a user's push rules.
  public func pass(pushRulesOf user: UserID) async throws {
    try await pass(
      .pushRules, .pushRules,
      """
      SELECT stream_id, COALESCE(instance_name, 'master') FROM push_rules_stream WHERE user_id = \(user.rawValue)
      ORDER BY stream_id DESC LIMIT 1
      """)
  }
}
