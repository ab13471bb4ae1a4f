import MatrixPrimitives

/// Holds all settings of one process, checked and with standard values filled in.
///
/// Keys, defaults and merging follow Synapse 1.163.2's configuration files. Values are read once at start.
public struct HomeserverConfig: Sendable {
  /// Tells the main process from a worker.
  public enum Role: Sendable, Hashable {
    /// The main process, or the whole server.
    case homeserver
    /// A process with `worker_app` and `worker_name`.
    case worker
  }

  /// Names the main process on the wire and in the database.
  public static let mainInstanceName = "master"

  /// Lists the values of `worker_app` that make a process a worker.
  public static let workerApps: Set<Text> = Set(
    [
      "appservice", "client_reader", "event_creator", "federation_reader", "federation_sender", "frontend_proxy",
      "generic_worker", "media_repository", "pusher", "synchrotron", "user_dir",
    ].map { "synapse.app.\($0)" })

  /// Names the server: the domain of all its users.
  public var serverName: Text
  /// Names this process; `master` is the main one.
  public var instanceName: Text
  /// Names the kind of worker; nil in the main process.
  public var workerApp: Text?
  /// Gives the address under which clients reach the server; ends with a slash.
  public var publicBaseURL: Text
  /// Holds what describes the server as a whole.
  public var server: ServerSettings
  /// Lists the sockets of this process: `listeners` of the main process, `worker_listeners` of a worker.
  public var listeners: [ListenerSettings]
  /// Holds how to reach PostgreSQL.
  public var database: DatabaseSettings
  /// Holds how to reach Redis; nil when it is not used, which only a lone main process may do.
  public var redis: RedisSettings?
  /// Says where each instance answers HTTP replication; the main process is `master`.
  public var instanceMap: [Text: InstanceLocation]
  /// The instances that write each stream; asked for by `writers(of:)` and `isWriter(of:)`.
  var streamWriters: StreamWriters
  /// Says which processes do the work that is not tied to a stream.
  public var duties: WorkerDuties
  /// Authenticates HTTP replication between processes.
  public var replicationSecret: Text?
  /// Holds signing keys and secrets.
  public var keys: KeySettings
  /// Holds who may create an account.
  public var registration: RegistrationSettings
  /// Holds how users log in with passwords.
  public var passwords: PasswordSettings
  /// Holds how long logins last.
  public var sessions: SessionSettings
  /// Bounds how often things may happen.
  public var rateLimits: RateLimitSettings
  /// Holds how rooms are made and listed.
  public var rooms: RoomSettings
  /// Holds who may see profiles and find users.
  public var profiles: ProfileSettings
  /// Holds how presence is kept.
  public var presence: PresenceSettings
  /// Bounds sizes and ages.
  public var limits: LimitSettings
  /// Holds the sizes of caches.
  public var caches: CacheSettings
  /// Holds where media is kept.
  public var media: MediaSettings
  /// Holds how push notifications are sent.
  public var push: PushSettings
  /// Holds what clients are told about TURN servers.
  public var turn: TurnSettings
  /// Holds the switches of unstable features.
  public var experimental: ExperimentalSettings
  /// Describes what is logged and where to.
  public var logging: LoggingSettings
  /// Names the file `logging` was read from, for reading it again on SIGHUP; nil when there is none.
  public var loggingFile: Text?

  /// Lists the signing keys, never empty; the first one signs.
  public var signingKeys: [SigningKey] { keys.signingKeys }
  /// Keys short-lived tokens.
  public var macaroonSecretKey: [UInt8] { keys.macaroonSecretKey }
  /// Keys forms and session identifiers.
  public var formSecret: Text? { keys.formSecret }
  /// Gives bcrypt's cost.
  public var bcryptRounds: Int { passwords.bcryptRounds }
  /// Names the instance that runs periodic jobs.
  public var runBackgroundTasksOn: Text { duties.backgroundTasksInstance }
  /// Says whether this is the main process.
  public var isMainProcess: Bool { instanceName == Self.mainInstanceName }

  /// Returns the instances that write a stream, in the order of the configuration (which decides the sharding).
  public func writers(of stream: StreamName) -> [Text] { streamWriters[stream] }

  /// Whether this process writes a stream.
  public func isWriter(of stream: StreamName) -> Bool { streamWriters[stream].contains(instanceName) }
}
