import MatrixPrimitives
import Postgres

/// The table `access_tokens`: reading, and noting and ending single tokens; ``SessionStore`` writes what belongs
/// together.
public final class AccessTokenStore: Sendable {
  private let database: PostgresClient
  private let invalidator: CacheInvalidator

  init(_ context: StoreContext) {
    database = context.database
    invalidator = context.invalidator
  }

  /// Looks an access token up together with the state of its account.
  ///
  /// - Parameter moment: the time by the process's monotonic clock, in milliseconds.
  public func lookup(_ token: Text, at moment: Int64) async throws -> TokenLookup? {
    try await database.run(TokenLookup.selection + " WHERE tokens.token = \(token)").first.map {
      try TokenLookup($0, confirmedAt: moment)
    }
  }

  /// Looks many access tokens up with one statement; unknown ones are left out.
  ///
  /// - Parameter moment: the time by the process's monotonic clock, in milliseconds.
  public func lookups(_ tokens: [Text], at moment: Int64) async throws -> [Text: TokenLookup] {
    var found: [Text: TokenLookup] = [:]
    for row in try await database.run(TokenLookup.selection + " WHERE tokens.token = ANY(\(tokens)::text[])") {
      found[try row.get(12, as: Text.self)] = try TokenLookup(row, confirmedAt: moment)
    }
    return found
  }

  /// Notes that an access token was used, which voids its predecessor's claim to be refreshed again.
  public func markUsed(_ token: Text, id: Int64) async throws {
    try await database.transaction("mark_access_token_as_used") { txn in
      txn.enqueue("UPDATE access_tokens SET used = true WHERE id = \(id)")
      try self.invalidator.enqueue([CacheInvalidation("get_user_by_access_token", [token])], in: txn)
    }
  }

  /// Reads when the owner of a token last showed who they are, since 1970; nil for never.
  public func lastValidated(_ id: Int64) async throws -> Int64? {
    try await database.run("SELECT last_validated FROM access_tokens WHERE id = \(id)").first?.get(0, as: Int64?.self)
      ?? nil
  }

  /// Notes that the owner of a token has shown who they are.
  public func markValidated(_ id: Int64, nowMilliseconds: Int64) async throws {
    _ = try await database.run("UPDATE access_tokens SET last_validated = \(nowMilliseconds) WHERE id = \(id)")
  }

  /// Deletes one access token and the refresh token it came with.
  public func delete(_ token: Text) async throws {
    try await database.transaction("delete_access_token", isolation: .readCommitted) { txn in
      let rows = try txn.query("DELETE FROM access_tokens WHERE token = \(token) RETURNING refresh_token_id")
      if let refresh = try rows.first?.get(0, as: Int64?.self) ?? nil {
        txn.enqueue("DELETE FROM refresh_tokens WHERE id = \(refresh)")
      }
      try self.invalidator.enqueue([CacheInvalidation("get_user_by_access_token", [token])], in: txn)
    }
  }
}
