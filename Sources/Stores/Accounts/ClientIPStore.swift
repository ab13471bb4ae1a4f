import MatrixPrimitives
import Postgres

/// One use of a token from an address.
public struct ClientUse: Sendable {
  /// The user who owns the token.
  public let user: UserID
  /// The access token.
  public let token: Text
  /// The address.
  public let ip: Text
  /// The client's `User-Agent`.
  public let userAgent: Text
  /// The device of the token.
  public let deviceID: Text?
  /// The time, since 1970.
  public let lastSeenMilliseconds: Int64

  /// Collects a use.
  public init(
    user: UserID, token: Text, ip: Text, userAgent: Text, deviceID: Text?, lastSeenMilliseconds: Int64
  ) {
    self.user = user
    self.token = token
    self.ip = ip
    self.userAgent = userAgent
    self.deviceID = deviceID
    self.lastSeenMilliseconds = lastSeenMilliseconds
  }
}

/// The table `user_ips` and the last use of devices. Only the process with the background duty writes them.
public final class ClientIPStore: Sendable {
  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// Writes a batch of uses, each (user, token, address) at most once in it.
  public func record(_ uses: [ClientUse]) async throws {
    guard !uses.isEmpty else { return }
    let users = uses.map(\.user.rawValue)
    let tokens = uses.map(\.token)
    let ips = uses.map(\.ip)
    let agents = uses.map(\.userAgent)
    let devices = uses.map(\.deviceID)
    let times = uses.map(\.lastSeenMilliseconds)
    try await database.transaction("update_client_ips_batch", isolation: .readCommitted) { txn in
      txn.enqueue(
        """
        INSERT INTO user_ips (user_id, access_token, ip, user_agent, device_id, last_seen)
        SELECT * FROM unnest(\(users)::text[], \(tokens)::text[], \(ips)::text[], \(agents)::text[],
                             \(devices)::text[], \(times)::bigint[])
        ON CONFLICT (user_id, access_token, ip) DO UPDATE
        SET user_agent = EXCLUDED.user_agent, device_id = EXCLUDED.device_id, last_seen = EXCLUDED.last_seen
        """)
      txn.enqueue(
        """
        UPDATE devices SET last_seen = seen.at, ip = seen.ip, user_agent = seen.agent
        FROM (
          SELECT DISTINCT ON (user_id, device_id) user_id, device_id, ip, agent, at
          FROM unnest(\(users)::text[], \(devices)::text[], \(ips)::text[], \(agents)::text[], \(times)::bigint[])
               AS use(user_id, device_id, ip, agent, at)
          WHERE device_id IS NOT NULL
          ORDER BY user_id, device_id, at DESC
        ) AS seen
        WHERE devices.user_id = seen.user_id AND devices.device_id = seen.device_id
        """)
    }
  }

  /// Lists from where an account was used, as far as that is stored, the newest 1,000 uses at most.
  public func uses(of user: UserID) async throws -> [ClientUse] {
    try await database.run(
      """
      SELECT access_token, ip, user_agent, device_id, last_seen FROM user_ips
      WHERE user_id = \(user.rawValue) ORDER BY last_seen DESC LIMIT 1000
      """
    ).map { row in
      let (token, ip, agent, device, seen) = try row.decode(Text.self, Text.self, Text.self, Text?.self, Int64.self)
      return ClientUse(
        user: user, token: token, ip: ip, userAgent: agent, deviceID: device, lastSeenMilliseconds: seen)
    }
  }

  /// Deletes addresses not seen since a moment (`user_ips_max_age`), in bounded steps.
  public func prune(lastSeenBefore milliseconds: Int64) async throws {
    _ = try await database.run(
      """
      DELETE FROM user_ips WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM user_ips WHERE last_seen < \(milliseconds) LIMIT 5000))
      """)
  }
}
