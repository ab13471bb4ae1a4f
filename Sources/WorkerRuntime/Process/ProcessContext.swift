import EndpointKit
import Logging
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import Stores

/// What every process has, for its role: settings, stores, streams and a clock.
package struct ProcessContext: Sendable {
  /// The settings.
  package let config: HomeserverConfig
  /// The time.
  package let clock: ServerClock
  /// The connections, which are open.
  package let database: PostgresClient
  /// What stores are made from. The positions of the streams are loaded once the role is composed.
  package let stores: StoreContext
  /// The connection to the streams; does not run yet, so that sources and subscribers can be added.
  package let hub: StreamHub
  /// The way to other processes; nil in a server of one process.
  package let replication: ReplicationClient?
  /// The logger for notices for administrators.
  package let logger: Logger

  /// The routing of calls to the process that carries them out, here or another one.
  package var calls: CallRouter { CallRouter(config: config, client: replication) }
}
