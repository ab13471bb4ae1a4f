import EndpointKit
import Logging
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import Stores

/// Hands a role what every process has: settings, stores, streams and a clock.
public struct ProcessContext: Sendable {
  /// Holds the settings.
  public let config: HomeserverConfig
  /// Tells the time.
  public let clock: ServerClock
  /// Holds the connections, which are open.
  public let database: PostgresClient
  /// What stores are made from. The positions of the streams are loaded once the role is composed.
  public let stores: StoreContext
  /// Connects to the streams; does not run yet, so that sources and subscribers can be added.
  public let hub: StreamHub
  /// The way to other processes; nil in a server of one process.
  public let replication: ReplicationClient?
  /// Receives what administrators should know.
  public let logger: Logger

  /// Carries calls out where they belong, here or in another process.
  public var calls: CallRouter { CallRouter(config: config, client: replication) }
}
