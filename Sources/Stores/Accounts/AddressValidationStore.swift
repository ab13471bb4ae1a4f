import MatrixPrimitives
import Postgres

/// A proof, begun or given, that somebody owns an address.
public struct AddressValidation: Sendable {
  /// The session's id.
  public let id: Text
  /// `email` or `msisdn`.
  public let medium: Text
  /// The address in its canonical form.
  public let address: Text
  /// The time of the proof, since 1970; nil before.
  public let validatedAtMilliseconds: Int64?
}

/// The tables `threepid_validation_session` and `threepid_validation_token`: links in mails that prove who owns an address.
public final class AddressValidationStore: Sendable {
  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// A request for a mail, counted.
  public struct Attempt: Sendable {
    /// The session's id.
    public let session: Text
    /// Whether a mail is to be sent: the request is not a repeated one.
    public let isNew: Bool
    /// The number of the request before; nil for the first.
    let previous: Int64?
  }

  /// Counts a request for a mail. Of several requests with the same number one gets a mail sent, whichever processes they reach.
  public func begin(
    _ medium: Text, address: Text, clientSecret: Text, attempt: Int64
  ) async throws -> Attempt {
    try await database.transaction("begin_threepid_validation", isolation: .readCommitted) { txn in
      txn.enqueue("SELECT pg_advisory_xact_lock(hashtextextended(\(clientSecret) || ' ' || \(address), 1))")
      let rows = try txn.query(
        """
        SELECT session_id, last_send_attempt FROM threepid_validation_session
        WHERE medium = \(medium) AND address = \(address) AND client_secret = \(clientSecret) AND validated_at IS NULL
        LIMIT 1
        """)
      guard let row = rows.first else {
        let id = RandomString.letters(16)
        txn.enqueue(
          """
          INSERT INTO threepid_validation_session (session_id, medium, address, client_secret, last_send_attempt)
          VALUES (\(id), \(medium), \(address), \(clientSecret), \(attempt))
          """)
        return Attempt(session: id, isNew: true, previous: nil)
      }
      let (id, last) = try row.decode(Text.self, Int64.self)
      guard attempt > last else { return Attempt(session: id, isNew: false, previous: last) }
      txn.enqueue(
        "UPDATE threepid_validation_session SET last_send_attempt = \(attempt) WHERE session_id = \(id)")
      return Attempt(session: id, isNew: true, previous: last)
    }
  }

  /// Takes the counting of a request back whose mail could not be sent, so that the client may repeat it.
  public func giveBack(_ attempt: Attempt) async throws {
    guard let previous = attempt.previous else {
      _ = try await database.run(
        "DELETE FROM threepid_validation_session WHERE session_id = \(attempt.session) AND validated_at IS NULL")
      return
    }
    _ = try await database.run(
      "UPDATE threepid_validation_session SET last_send_attempt = \(previous) WHERE session_id = \(attempt.session)")
  }

  /// Finds a session in which the address was proved.
  public func validated(_ medium: Text, id: Text, clientSecret: Text) async throws -> AddressValidation? {
    try await database.run(
      Self.selection + """
         WHERE session_id = \(id) AND medium = \(medium) AND client_secret = \(clientSecret) AND validated_at IS NOT NULL
        """
    ).first.map(Self.decode)
  }

  /// Stores a link of a mail.
  ///
  /// - Parameters:
  ///   - token: the secret within the link.
  ///   - nextLink: where it leads on to; nil for the server's own page.
  public func addLink(
    _ token: Text, session: Text, nextLink: Text?, expiryMilliseconds: Int64
  ) async throws {
    _ = try await database.run(
      """
      INSERT INTO threepid_validation_token (token, session_id, next_link, expires)
      VALUES (\(token), \(session), \(nextLink), \(expiryMilliseconds))
      """)
  }

  /// What became of a link that was followed.
  public enum Outcome: Sendable {
    /// The address is proved; where the link leads on to.
    case validated(nextLink: Text?)
    /// There is no such session.
    case unknownSession
    /// The session has no such link, or no longer.
    case unknownToken
    /// The client's secret is another.
    case otherSecret
    /// The link is too old.
    case expired
  }

  /// Follows a link. One that was followed before succeeds again as long as it is kept.
  public func follow(
    session: Text, clientSecret: Text, token: Text, nowMilliseconds: Int64
  ) async throws -> Outcome {
    try await database.transaction("validate_threepid_session_txn", isolation: .readCommitted) { txn in
      let sessions = try txn.query(
        "SELECT client_secret, validated_at FROM threepid_validation_session WHERE session_id = \(session) FOR UPDATE")
      guard let row = sessions.first else { return .unknownSession }
      let (secret, validated) = try row.decode(Text.self, Int64?.self)
      let links = try txn.query(
        "SELECT expires, next_link FROM threepid_validation_token WHERE session_id = \(session) AND token = \(token)")
      guard let link = links.first else { return .unknownToken }
      let (expiry, nextLink) = try link.decode(Int64.self, Text?.self)
      guard secret == clientSecret else { return .otherSecret }
      if validated == nil {
        guard expiry > nowMilliseconds else { return .expired }
        txn.enqueue(
          "UPDATE threepid_validation_session SET validated_at = \(nowMilliseconds) WHERE session_id = \(session)")
      }
      return .validated(nextLink: nextLink)
    }
  }

  /// Uses a proved address up for a stage of interactive authentication, and notes the stage as complete, in one step.
  ///
  /// - Parameters:
  ///   - result: what is remembered of the stage.
  ///   - interactiveSession: the session of interactive authentication.
  /// - Returns: whether the proof was still there.
  public func use(
    _ validation: AddressValidation, stage: Text, result: JSON, interactiveSession: Text
  ) async throws -> Bool {
    try await database.transaction("use_validated_threepid", isolation: .readCommitted) { txn in
      txn.enqueue("DELETE FROM threepid_validation_token WHERE session_id = \(validation.id)")
      let used = try txn.query(
        """
        DELETE FROM threepid_validation_session WHERE session_id = \(validation.id) AND validated_at IS NOT NULL
        RETURNING 1
        """)
      guard !used.isEmpty else { return false }
      txn.enqueue(UserInteractiveAuthStore.completion(of: stage, result, interactiveSession))
      return true
    }
  }

  /// Deletes links that are too old, and sessions that cannot be finished without one.
  public func prune(nowMilliseconds: Int64) async throws {
    try await database.transaction("cull_expired_threepid_validation_tokens", isolation: .readCommitted) { txn in
      let rows = try txn.query(
        "DELETE FROM threepid_validation_token WHERE expires < \(nowMilliseconds) RETURNING session_id")
      let sessions = try rows.map { try $0.get(0, as: Text.self) }
      guard !sessions.isEmpty else { return }
      txn.enqueue(
        """
        DELETE FROM threepid_validation_session AS sessions
        WHERE session_id = ANY(\(sessions)::text[]) AND validated_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM threepid_validation_token AS tokens WHERE tokens.session_id = sessions.session_id)
        """)
    }
  }

  private static let selection: SQL =
    "SELECT session_id, medium, address, validated_at FROM threepid_validation_session"

  private static func decode(_ row: PostgresRow) throws -> AddressValidation {
    AddressValidation(
      id: try row.get(0, as: Text.self), medium: try row.get(1, as: Text.self), address: try row.get(2, as: Text.self),
      validatedAtMilliseconds: try row.get(3, as: Int64?.self))
  }
}
