import EndpointKit
import Logging
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import Stores

/// What every process has, for its role: settings, stores, streams and a clock.
public struct ProcessContext: Sendable {
  /// The settings.
  public let config: HomeserverConfig
  /// The time.
  public let clock: ServerClock
  /// The connections, which are open.
  public let database: PostgresClient
  /// What stores are made from. The positions of the streams are loaded once the role is composed.
  public let stores: StoreContext
  /// The connection to the streams; does not run yet, so that sources and subscribers can be added.
  public let hub: StreamHub
  /// The way to other processes; nil in a server of one process.
  public let replication: ReplicationClient?
  /// The logger for notices for administrators.
  public let logger: Logger

  /// The routing of calls to the process that carries them out, here or another one.
  public var calls: CallRouter { CallRouter(config: config, client: replication) }
}
