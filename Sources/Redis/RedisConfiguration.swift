import ByteText
import NIOCore
import NIOSSL

/// The address of Redis, and the login.
public struct RedisConfiguration: Sendable {
  /// The ways to reach Redis.
  public enum Endpoint: Sendable, Hashable {
    /// Reached over TCP.
    case tcp(host: Text, port: Int)
    /// Reached over a unix socket.
    case unix(path: Text)
  }

  /// The ways to reach Redis.
  public var endpoint: Endpoint
  /// The user in Redis' access control lists; needs a password.
  public var username: Text?
  /// The password.
  public var password: Text?
  /// The database for commands; publishing and subscribing ignore it.
  public var database: Int
  /// The TLS settings; nil connects in the clear.
  public var tls: TLSConfiguration?
  /// The limit on how long a connection may take to open.
  public var connectTimeout: TimeAmount = .seconds(10)
  /// The interval of PINGs; a connection that stays silent until the next one is closed.
  public var pingInterval: TimeAmount = .seconds(30)

  /// Describes a Redis server.
  /// - Parameters:
  ///   - endpoint: how Redis is reached.
  ///   - username: user of the access control lists.
  ///   - password: the password.
  ///   - database: number of the database, 0 or more.
  ///   - tls: TLS settings; nil connects in the clear.
  public init(
    endpoint: Endpoint, username: Text? = nil, password: Text? = nil, database: Int = 0,
    tls: TLSConfiguration? = nil
  ) {
    self.endpoint = endpoint
    self.username = username
    self.password = password
    self.database = database
    self.tls = tls
  }

  /// The command by which a connection logs in; nil without a password.
  var logInCommand: [Text]? {
    password.map { ["AUTH"] + (username.map { [$0] } ?? []) + [$0] }
  }
}
