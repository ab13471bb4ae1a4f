import Crypto
import Foundation
import Logging
import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import ServerConfig
import Stores
import TestSupport

@testable import SyncEngine

/// Rooms and syncing as a server of one process runs them, on a database of its own.
final class SyncFixture: Sendable {
  let database: TestDatabase
  let stores: RoomStores
  let users: UserStores
  let rooms: RoomServices
  let services: SyncServices
  let config: HomeserverConfig
  let hub: StreamHub
  let clock: ServerClock
  private let tasks: [Task<Void, any Error>]

  static let alice = requester("alice")
  static let bob = requester("bob")
  static let carol = requester("carol")

  static func requester(_ name: Text) -> Requester {
    Requester(userID: UserID(unchecked: "@\(name):test"), deviceID: "\(name.asciiUppercased)1")
  }

  /// - Parameters:
  ///   - settings: further lines of the configuration.
  ///   - database: a database that another server has used; nil for one of its own.
  init(
    answersKeptFor: Text = "0s", settings: Text = "", clock: ServerClock = .system, on database: TestDatabase? = nil
  ) async throws {
    if let database { self.database = database } else { self.database = try await TestDatabase.withSchema() }
    let database = self.database
    config = try Self.config(answersKeptFor, settings)
    self.clock = clock
    let (config, logger) = (config, Logger.silent)
    hub = StreamHub(
      instanceName: "master", writers: { config.writers(of: $0) }, transport: InMemoryTransport(),
      clock: clock, logger: logger)
    let context = StoreContext(database: database.client, config: config, hub: hub, clock: clock, logger: logger)
    stores = RoomStores(context)
    users = UserStores(context)
    let accounts = AccountStores(context)
    let push = PushStores(context, events: stores.events, receipts: users.receipts)
    let signer = EventSigner(serverName: "test", keyID: "ed25519:a", privateKey: Curve25519.Signing.PrivateKey())
    let localUsers = LocalUsers(
      profile: { LocalUsers.Profile(displayName: $0.localpart) }, isAdmin: { _ in false }, isSuspended: { _ in false },
      blocksInvites: { _, _ in false })
    let router = CallRouter(config: config, client: nil)
    rooms = RoomServices(
      stores: stores, push: push, accountData: users.accountData, accounts: accounts, router: router, signer: signer,
      logger: logger, users: localUsers)
    services = SyncServices(
      stores: stores, users: users, push: push, deviceLists: accounts.deviceLists, rooms: rooms, router: router,
      logger: logger)
    services.register()
    try await context.load()
    try await services.start()
    tasks = [Task { [hub] in try await hub.run() }, Task { [services] in await services.run() }]
    await hub.waitUntilCaughtUp()
  }

  var readers: SyncReaders { services.sync.readers }

  deinit { for task in tasks { task.cancel() } }

  private static func config(_ answersKeptFor: Text, _ settings: Text) throws -> HomeserverConfig {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("myelin-sync-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("homeserver.yaml")
    let text = """
      server_name: test
      macaroon_secret_key: secret
      form_secret: secret
      signing_key: "ed25519 a_1 \(UnpaddedBase64.encode([UInt8](repeating: 7, count: 32)))"
      database: {name: psycopg2, args: {dbname: test}}
      caches: {sync_response_cache_duration: \(answersKeptFor)}
      \(settings)
      """
    try Data(text.utf8).write(to: file)
    return try HomeserverConfig.load(paths: [Text(file.path)], role: .homeserver).0
  }

  // MARK: Shorthand

  func createRoom(_ requester: Requester = alice, _ body: JSON = ["preset": "public_chat"]) async throws -> RoomID {
    let request = try RoomCreationRequest(try body.document(), defaultVersion: config.rooms.defaultRoomVersion)
    return try await rooms.creation.create(request, requester: requester)
  }

  func change(
    _ action: MembershipAction, _ room: RoomID, by requester: Requester, of target: Requester? = nil
  ) async throws {
    try await rooms.memberships.change(
      MembershipRequest(roomID: room, target: (target ?? requester).userID, action: action), requester: requester)
  }

  @discardableResult
  func say(
    _ text: Text, _ room: RoomID, _ requester: Requester = alice, extra: [Text: JSON] = [:]
  ) async throws -> EventID {
    var content: [Text: JSON] = ["msgtype": "m.text", "body": .string(text)]
    content.merge(extra) { $1 }
    return try await rooms.submitter.submit(
      ClientEventDraft(roomID: room, type: "m.room.message", content: .object(content)), requester: requester)
  }

  @discardableResult
  func set(_ type: Text, _ content: JSON, _ room: RoomID, _ requester: Requester = alice) async throws -> EventID {
    try await rooms.submitter.submit(
      ClientEventDraft(roomID: room, type: type, stateKey: "", content: content), requester: requester)
  }

  func addDevice(_ requester: Requester) async throws {
    _ = try await database.client.run(
      """
      INSERT INTO devices (user_id, device_id, hidden)
      VALUES (\(requester.userID.rawValue), \(requester.deviceID ?? ""), false)
      """)
  }

  /// Makes the rows of accounts, to which some tables refer.
  func addUsers(_ requesters: Requester...) async throws {
    for requester in requesters {
      _ = try await database.client.run(
        "INSERT INTO users (name, creation_ts) VALUES (\(requester.userID.rawValue), 0) ON CONFLICT DO NOTHING")
    }
  }

  /// Asks for `/sync` as the endpoint does, and waits until everything that happened before is delivered.
  func sync(
    _ requester: Requester = alice, since: Text? = nil, filter: JSON? = nil, timeout: Int64 = 0,
    fullState: Bool = false, state: SyncStateForm = .before
  ) async throws -> JSON {
    await hub.waitUntilIdle()
    return try await syncNow(
      requester, since: since, filter: filter, timeout: timeout, fullState: fullState, state: state)
  }

  func syncNow(
    _ requester: Requester = alice, since: Text? = nil, filter: JSON? = nil, timeout: Int64 = 0,
    fullState: Bool = false, state: SyncStateForm = .before
  ) async throws -> JSON {
    try JSON.parse(
      try await answer(
        try await request(
          requester, since: since, filter: filter, timeout: timeout, fullState: fullState, state: state)))
  }

  func request(
    _ requester: Requester, since: Text?, filter: JSON? = nil, timeout: Int64, fullState: Bool = false,
    state: SyncStateForm = .before
  ) async throws -> SyncRequest {
    var token: StreamToken?
    if let since {
      guard let parsed = try await StreamToken.parse(since, directory: stores.context.instances) else {
        throw NoToken()
      }
      token = parsed
    }
    let text = filter.map { Text(decoding: $0.encoded, as: UTF8.self) }
    let parsed = try await services.filters.filter(text, of: requester.userID)
    return SyncRequest(
      requester: requester, since: token, sinceText: since, filter: parsed, filterText: text,
      timeoutMilliseconds: timeout, wantsFullState: fullState, stateForm: state)
  }

  func answer(_ request: SyncRequest) async throws -> [UInt8] {
    try await withCheckedThrowingContinuation { continuation in
      Task {
        do {
          _ = try await services.sync.begin(request) { continuation.resume(with: $0) }
        } catch {
          continuation.resume(throwing: error)
        }
      }
    }
  }

  struct NoToken: Error {}
}

extension JSON {
  /// Follows a path of members.
  func at(_ path: Text...) -> JSON? { path.reduce(self) { $0?[$1] } }

  func joined(_ room: RoomID) -> JSON? { at("rooms", "join", room.rawValue) }

  var next: Text { self["next_batch"]?.string ?? "" }

  /// Lists the bodies of the messages in a room's timeline.
  func bodies(_ room: RoomID) -> [Text] {
    joined(room)?.at("timeline", "events")?.elements?.compactMap { $0.at("content", "body")?.string } ?? []
  }

  /// Lists `type|state_key` of the events of a section.
  func keys(_ section: Text...) -> Set<Text> {
    let events = section.reduce(Optional(self)) { $0?[$1] }?["events"]?.elements ?? []
    return Set(events.map { "\($0["type"]?.string ?? "")|\($0["state_key"]?.string ?? "-")" })
  }
}
