import MatrixPrimitives
import Postgres

/// The addresses of accounts (`user_threepids`), and the identity servers that were told of them (`user_threepid_id_server`).
public final class ThirdPartyStore: Sendable {
  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// Gives an account an address.
  ///
  /// - Throws: `MatrixError` 400 `M_THREEPID_IN_USE` when the address is another account's.
  public func add(
    _ medium: Text, _ address: Text, to user: UserID, validatedAtMilliseconds: Int64, nowMilliseconds: Int64
  ) async throws {
    try await database.transaction("user_add_threepid", isolation: .readCommitted) { txn in
      try Self.add(
        medium, address, to: user, validatedAtMilliseconds: validatedAtMilliseconds, nowMilliseconds: nowMilliseconds,
        in: txn)
    }
  }

  static func add(
    _ medium: Text, _ address: Text, to user: UserID, validatedAtMilliseconds: Int64, nowMilliseconds: Int64,
    in txn: Transaction
  ) throws {
    // No index keeps two accounts from having the same address: whoever adds one waits for others that do.
    txn.enqueue("SELECT pg_advisory_xact_lock(hashtextextended(\(medium) || ' ' || \(address), 0))")
    let owners = try txn.query(
      "SELECT user_id FROM user_threepids WHERE medium = \(medium) AND address = \(address)"
    ).map { UserID(unchecked: try $0.get(0, as: Text.self)) }
    guard owners.allSatisfy({ $0 == user }) else {
      throw MatrixError(.threepidInUse, "\(medium) is already in use")
    }
    if owners.isEmpty {
      txn.enqueue(
        """
        INSERT INTO user_threepids (user_id, medium, address, validated_at, added_at)
        VALUES (\(user.rawValue), \(medium), \(address), \(validatedAtMilliseconds), \(nowMilliseconds))
        """)
    } else {
      txn.enqueue(
        """
        UPDATE user_threepids SET validated_at = \(validatedAtMilliseconds), added_at = \(nowMilliseconds)
        WHERE medium = \(medium) AND address = \(address)
        """)
    }
  }

  /// Takes an address from an account.
  public func remove(_ medium: Text, _ address: Text, from user: UserID) async throws {
    _ = try await database.run(
      """
      DELETE FROM user_threepids
      WHERE user_id = \(user.rawValue) AND medium = \(medium) AND address = \(address)
      """)
  }

  // MARK: Identity servers

  /// Remembers that an identity server was told whose an address is.
  public func noteBinding(_ medium: Text, _ address: Text, of user: UserID, at server: Text) async throws {
    _ = try await database.run(
      """
      INSERT INTO user_threepid_id_server (user_id, medium, address, id_server)
      VALUES (\(user.rawValue), \(medium), \(address), \(server)) ON CONFLICT DO NOTHING
      """)
  }

  /// Lists the identity servers that were told whose an address is.
  public func bindings(_ medium: Text, _ address: Text, of user: UserID) async throws -> [Text] {
    try await database.run(
      """
      SELECT id_server FROM user_threepid_id_server
      WHERE user_id = \(user.rawValue) AND medium = \(medium) AND address = \(address)
      """
    ).map { try $0.get(0, as: Text.self) }
  }

  /// Lists every address of a user's of which identity servers were told.
  public func boundAddresses(of user: UserID) async throws -> [(medium: Text, address: Text)] {
    try await database.run(
      "SELECT DISTINCT medium, address FROM user_threepid_id_server WHERE user_id = \(user.rawValue)"
    ).map { row in
      let (medium, address) = try row.decode(Text.self, Text.self)
      return (medium, address)
    }
  }

  /// Forgets that an identity server was told whose an address is.
  public func forgetBinding(_ medium: Text, _ address: Text, of user: UserID, at server: Text) async throws {
    _ = try await database.run(
      """
      DELETE FROM user_threepid_id_server
      WHERE user_id = \(user.rawValue) AND medium = \(medium) AND address = \(address) AND id_server = \(server)
      """)
  }
}
