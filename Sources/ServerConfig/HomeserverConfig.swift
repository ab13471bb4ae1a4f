import MatrixPrimitives

/// All settings of one process, checked and with standard values filled in.
///
/// Keys, defaults and merging follow Synapse 1.163.2's configuration files. Values are read once at start.
public struct HomeserverConfig: Sendable {
  /// The two kinds of process.
  public enum Role: Sendable, Hashable {
    /// The main process, or the whole server.
    case homeserver
    /// A process with `worker_app` and `worker_name`.
    case worker
  }

  /// The main process's name on the wire and in the database.
  public static let mainInstanceName = "master"

  /// The values of `worker_app` that make a process a worker.
  public static let workerApps: Set<Text> = Set(
    [
      "appservice", "client_reader", "event_creator", "federation_reader", "federation_sender", "frontend_proxy",
      "generic_worker", "media_repository", "pusher", "synchrotron", "user_dir",
    ].map { "synapse.app.\($0)" })

  /// The server's name: the domain of all its users.
  public var serverName: Text
  /// This process's name; `master` is the main one.
  public var instanceName: Text
  /// The kind of worker; nil in the main process.
  public var workerApp: Text?
  /// The address under which clients reach the server; ends with a slash.
  public var publicBaseURL: Text
  /// What describes the server as a whole.
  public var server: ServerSettings
  /// The sockets of this process: `listeners` of the main process, `worker_listeners` of a worker.
  public var listeners: [ListenerSettings]
  /// The settings of PostgreSQL.
  public var database: DatabaseSettings
  /// The settings of Redis; nil when it is not used, which only a lone main process may do.
  public var redis: RedisSettings?
  /// The address at which each instance answers HTTP replication; the main process is `master`.
  public var instanceMap: [Text: InstanceLocation]
  /// The instances that write each stream; asked for by `writers(of:)` and `isWriter(of:)`.
  var streamWriters: StreamWriters
  /// The processes that do the work that is not tied to a stream.
  public var duties: WorkerDuties
  /// The secret that authenticates HTTP replication between processes.
  public var replicationSecret: Text?
  /// The signing keys and secrets.
  public var keys: KeySettings
  /// The rules of registration.
  public var registration: RegistrationSettings
  /// The rules of passwords and of login with them.
  public var passwords: PasswordSettings
  /// The lifetimes of logins.
  public var sessions: SessionSettings
  /// The limits on how often things may happen.
  public var rateLimits: RateLimitSettings
  /// The settings of making and listing rooms.
  public var rooms: RoomSettings
  /// The settings of profiles and of the user directory.
  public var profiles: ProfileSettings
  /// Whether statistics of rooms and users are kept.
  public var keepsStatistics: Bool
  /// The settings of presence.
  public var presence: PresenceSettings
  /// The limits on sizes and ages.
  public var limits: LimitSettings
  /// The sizes of caches.
  public var caches: CacheSettings
  /// The settings of media.
  public var media: MediaSettings
  /// The settings of push notifications.
  public var push: PushSettings
  /// What clients get about TURN servers.
  public var turn: TurnSettings
  /// Where conferences of calls are.
  public var callTransports: CallTransportSettings
  /// The switches of unstable features.
  public var experimental: ExperimentalSettings
  /// What is logged and where to.
  public var logging: LoggingSettings
  /// The file that `logging` was read from, for reading it again on SIGHUP; nil when there is none.
  public var loggingFile: Text?

  /// Keys short-lived tokens.
  public var macaroonSecretKey: [UInt8] { keys.macaroonSecretKey }
  /// Keys forms and session identifiers.
  public var formSecret: Text? { keys.formSecret }
  /// The cost of bcrypt.
  public var bcryptRounds: Int { passwords.bcryptRounds }
  /// The instance that runs periodic jobs.
  public var runBackgroundTasksOn: Text { duties.backgroundTasksInstance }
  /// Whether this is the main process.
  public var isMainProcess: Bool { instanceName == Self.mainInstanceName }

  /// Returns the instances that write a stream, in the order of the configuration (which decides the sharding).
  public func writers(of stream: StreamName) -> [Text] { streamWriters[stream] }

  /// Returns whether this process writes a stream.
  public func isWriter(of stream: StreamName) -> Bool { streamWriters[stream].contains(instanceName) }
}
