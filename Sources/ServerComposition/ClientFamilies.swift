import ClientEndpoints
import EndpointKit
import Replication
import ReplicationEndpoints
import WorkerRuntime

extension ProcessServices {
  /// The client-server API, as far as any process that serves clients may answer it; the runtime leaves out what the
  /// metadata gives to the main process.
  public func clientFamilies(_ context: ProcessContext) -> [EndpointFamily] {
    let (config, clock) = (context.config, context.clock)
    let server = ServerEndpoints(
      config: config, canChangePassword: config.passwords.allowsLogin && config.passwords.usesLocalDatabase)
    let history = RoomHistoryEndpoints(rooms: rooms, clock: clock).endpoints
    let state = RoomStateEndpoints(rooms: rooms, clock: clock).endpoints
    let ephemeral = EphemeralEndpoints(services: sync, rooms: rooms, presenceLimit: presenceLimit, clock: clock)
    return [
      EndpointFamily(name: "server", endpoints: server.endpoints),
      EndpointFamily(
        name: "registration", endpoints: RegistrationEndpoints(config: config, accounts: accounts).endpoints),
      EndpointFamily(name: "login", endpoints: LoginEndpoints(config: config, accounts: accounts).endpoints),
      EndpointFamily(
        name: "account", endpoints: AccountEndpoints(accounts: accounts, storage: stores.accounts).endpoints),
      EndpointFamily(
        name: "devices", endpoints: DeviceEndpoints(accounts: accounts, storage: stores.accounts).endpoints),
      EndpointFamily(name: "profiles", endpoints: ProfileEndpoints(accounts: accounts).endpoints),
      EndpointFamily(name: "room creation", endpoints: RoomCreationEndpoints(rooms: rooms).endpoints),
      EndpointFamily(
        name: "membership", endpoints: RoomMembershipEndpoints(rooms: rooms, storage: stores.rooms).endpoints),
      EndpointFamily(name: "sending", endpoints: RoomSendEndpoints(rooms: rooms, storage: stores.rooms).endpoints),
      EndpointFamily(name: "room history", endpoints: history),
      EndpointFamily(name: "room state", endpoints: state),
      EndpointFamily(name: "directory", endpoints: RoomDirectoryEndpoints(rooms: rooms, config: config).endpoints),
      EndpointFamily(
        name: "sync",
        endpoints: SyncEndpoints(
          services: sync, storage: stores.rooms, users: stores.users, rooms: rooms, presenceLimit: presenceLimit
        ).endpoints
      ),
      EndpointFamily(name: "ephemeral", endpoints: ephemeral.endpoints),
      EndpointFamily(
        name: "account data",
        endpoints: AccountDataEndpoints(
          services: sync, storage: stores.users, memberships: stores.rooms.memberships
        ).endpoints),
      EndpointFamily(
        name: "filters",
        endpoints: FilterEndpoints(storage: stores.users, timelineLimit: config.limits.filterTimelineLimit).endpoints),
      EndpointFamily(name: "push rules", endpoints: PushRuleEndpoints(services: sync).endpoints),
    ]
  }

  /// What other processes call: persisting events, writing streams, and on the main process opening sessions.
  public func replicationFamily(_ context: ProcessContext) -> EndpointFamily {
    let kit = ReplicationEndpointKit(positions: ReplicationPositions(hub: context.hub), clock: context.clock)
    let accountCalls = AccountReplicationEndpoints(config: context.config, accounts: accounts, kit: kit)
    return EndpointFamily(
      name: "replication", resource: "replication",
      endpoints: [GetReplStreamUpdatesEndpoint(hub: context.hub).endpoint]
        + EventReplicationEndpoints(inbox: rooms.inbox, kit: kit).endpoints + accountCalls.endpoints
        + SyncReplicationEndpoints(services: sync, kit: kit).endpoints)
  }
}
