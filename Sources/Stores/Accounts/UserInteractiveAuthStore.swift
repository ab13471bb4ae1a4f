import MatrixPrimitives
import Postgres

/// A session of user-interactive authentication as the database holds it.
public struct UserInteractiveAuthSession: Sendable {
  /// The session's id for clients; 24 letters.
  public let id: Text
  /// The request's body at the root level, without `auth`.
  public let clientParameters: JSON
  /// The path of the operation that is being authorised.
  public let uri: Text
  /// The HTTP method of that operation.
  public let method: Text
  /// What the server keeps with the session, such as a password hash.
  public let serverData: JSON

  /// Collects what is known of a session.
  public init(id: Text, clientParameters: JSON, uri: Text, method: Text, serverData: JSON) {
    self.id = id
    self.clientParameters = clientParameters
    self.uri = uri
    self.method = method
    self.serverData = serverData
  }
}

/// The table `ui_auth_sessions` and its credentials, so that stages may be answered by different processes.
public final class UserInteractiveAuthStore: Sendable {
  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// Opens a session and answers its id of 24 letters.
  public func create(
    clientParameters: JSON, uri: Text, method: Text, description: Text, nowMilliseconds: Int64
  ) async throws -> Text {
    let id = RandomString.letters(24)
    _ = try await database.run(
      """
      INSERT INTO ui_auth_sessions (session_id, creation_time, serverdict, clientdict, uri, method, description)
      VALUES (\(id), \(nowMilliseconds), '{}', \(text(clientParameters)), \(uri), \(method), \(description))
      """)
    return id
  }

  /// Reads a session; nil when the client made its id up.
  public func session(_ id: Text) async throws -> UserInteractiveAuthSession? {
    let rows = try await database.run(
      "SELECT clientdict, uri, method, serverdict FROM ui_auth_sessions WHERE session_id = \(id)")
    guard let row = rows.first else { return nil }
    let (client, uri, method, server) = try row.decode(Text.self, Text.self, Text.self, Text.self)
    return UserInteractiveAuthSession(
      id: id, clientParameters: try JSON.parse(client), uri: uri, method: method, serverData: try JSON.parse(server))
  }

  /// The largest number of addresses and programs that are remembered of a session.
  static let maximumClients = 16

  /// Remembers from where and with what a session was used, up to ``maximumClients`` of them.
  public func note(_ session: Text, address: Text, userAgent: Text) async throws {
    _ = try await database.run(
      """
      INSERT INTO ui_auth_sessions_ips (session_id, ip, user_agent)
      SELECT \(session)::text, \(address)::text, \(userAgent)::text
      WHERE (SELECT count(*) FROM ui_auth_sessions_ips WHERE session_id = \(session)) < \(Self.maximumClients)::bigint
      ON CONFLICT DO NOTHING
      """)
  }

  /// Replaces the remembered request parameters.
  public func setClientParameters(_ parameters: JSON, session: Text) async throws {
    _ = try await database.run(
      "UPDATE ui_auth_sessions SET clientdict = \(text(parameters)) WHERE session_id = \(session)")
  }

  /// Keeps one value of the server's with the session.
  public func setServerData(_ key: Text, _ value: JSON, session: Text) async throws {
    try await database.transaction("set_ui_auth_session_data", isolation: .readCommitted) { txn in
      try Self.setServerData(key, value, of: session, in: txn)
    }
  }

  /// Reads what the server keeps with a session; others who do the same wait until the transaction, a read-committed one, is over.
  ///
  /// - Returns: nil when there is no such session.
  static func serverData(of session: Text, in txn: Transaction) throws -> JSON? {
    try txn.query("SELECT serverdict FROM ui_auth_sessions WHERE session_id = \(session) FOR UPDATE").first.map {
      try JSON.parse($0.get(0, as: Text.self))
    }
  }

  /// Keeps one value of the server's with the session.
  static func setServerData(_ key: Text, _ value: JSON, of session: Text, in txn: Transaction) throws {
    guard var members = try serverData(of: session, in: txn)?.members else { return }
    members[key] = value
    txn.enqueue("UPDATE ui_auth_sessions SET serverdict = \(text(.object(members))) WHERE session_id = \(session)")
  }

  /// Takes a completed session away, so that it authorises one request.
  ///
  /// - Returns: whether the session was still there.
  public func consume(_ session: Text) async throws -> Bool {
    try await database.transaction("consume_ui_auth_session", isolation: .readCommitted) { txn in
      guard try Self.serverData(of: session, in: txn) != nil else { return false }
      Self.delete([session], in: txn)
      return true
    }
  }

  /// Marks a stage complete with its result.
  public func complete(stage: Text, result: JSON, session: Text) async throws {
    _ = try await database.run(Self.completion(of: stage, result, session))
  }

  static func completion(of stage: Text, _ result: JSON, _ session: Text) -> SQL {
    """
    INSERT INTO ui_auth_sessions_credentials (session_id, stage_type, result)
    VALUES (\(session), \(stage), \(text(result)))
    ON CONFLICT (session_id, stage_type) DO UPDATE SET result = EXCLUDED.result
    """
  }

  /// Lists the completed stages of a session with their results.
  public func completedStages(session: Text) async throws -> [Text: JSON] {
    let rows = try await database.run(
      "SELECT stage_type, result FROM ui_auth_sessions_credentials WHERE session_id = \(session)")
    var stages: [Text: JSON] = [:]
    for row in rows {
      let (stage, result) = try row.decode(Text.self, Text.self)
      stages[stage] = try JSON.parse(result)
    }
    return stages
  }

  /// Deletes the sessions opened before a moment, with what hangs on them.
  ///
  /// A registration token that such a session had reserved is given back. A finished registration has replaced the
  /// token in the stage's result by `true`.
  public func deleteSessions(openedBefore milliseconds: Int64) async throws {
    while try await deleteSome(openedBefore: milliseconds) {}
  }

  /// Deletes a thousand sessions. Returns whether there may be more.
  private func deleteSome(openedBefore milliseconds: Int64) async throws -> Bool {
    try await database.transaction("delete_old_ui_auth_sessions") { txn in
      let rows = try txn.query(
        "SELECT session_id FROM ui_auth_sessions WHERE creation_time <= \(milliseconds) LIMIT 1000")
      let ids = try rows.map { try $0.get(0, as: Text.self) }
      guard !ids.isEmpty else { return false }
      let results = try txn.query(
        """
        SELECT result FROM ui_auth_sessions_credentials
        WHERE session_id = ANY(\(ids)::text[]) AND stage_type = 'm.login.registration_token'
        """)
      // `true`, or what another process wrote in another form, names no token.
      let tokens = results.compactMap { try? JSONValue.parse($0.get(0, as: Text.self)).string }
      txn.enqueue(
        """
        UPDATE registration_tokens SET pending = greatest(pending - reserved.count, 0)
        FROM (SELECT token, count(*)::integer AS count FROM unnest(\(tokens)::text[]) AS token GROUP BY token) AS reserved
        WHERE registration_tokens.token = reserved.token
        """)
      Self.delete(ids, in: txn)
      return ids.count == 1000
    }
  }

  private static func delete(_ sessions: [Text], in txn: Transaction) {
    txn.enqueue("DELETE FROM ui_auth_sessions_ips WHERE session_id = ANY(\(sessions)::text[])")
    txn.enqueue("DELETE FROM ui_auth_sessions_credentials WHERE session_id = ANY(\(sessions)::text[])")
    txn.enqueue("DELETE FROM ui_auth_sessions WHERE session_id = ANY(\(sessions)::text[])")
  }
}

private func text(_ json: JSON) -> Text { Text(decoding: json.encoded, as: UTF8.self) }
