import MatrixPrimitives
import Postgres

/// The version of the policy that users have agreed to (`users.consent_version`).
public final class ConsentStore: Sendable {
  private let database: PostgresClient
  private let invalidator: CacheInvalidator

  init(_ context: StoreContext) {
    database = context.database
    invalidator = context.invalidator
  }

  /// Returns the version that a user has agreed to; nil for none.
  ///
  /// - Throws: `MatrixError` 404 when there is no such user.
  public func version(of user: UserID) async throws -> Text? {
    let rows = try await database.run("SELECT consent_version FROM users WHERE name = \(user.rawValue)")
    guard let row = rows.first else { throw MatrixError.notFound("Unknown user") }
    return try row.get(0, as: Text?.self)
  }

  /// Notes that a user has agreed to a version.
  public func agree(_ user: UserID, to version: Text, nowMilliseconds: Int64) async throws {
    try await database.transaction("user_set_consent_version", isolation: .readCommitted) { txn in
      try self.agree(user, to: version, nowMilliseconds: nowMilliseconds, in: txn)
    }
  }

  func agree(_ user: UserID, to version: Text, nowMilliseconds: Int64, in txn: Transaction) throws {
    txn.enqueue(
      "UPDATE users SET consent_version = \(version), consent_ts = \(nowMilliseconds) WHERE name = \(user.rawValue)")
    try invalidator.enqueue([CacheInvalidation("get_user_by_id", [user.rawValue])], in: txn)
  }
}
