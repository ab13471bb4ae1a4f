import Crypto
import Foundation
import Logging
import MatrixEvents
import MatrixPrimitives
import Replication
import ServerConfig
import StorageEngine
import Stores
import Synchronization
import TestSupport

@testable import EventPersistence
@testable import RoomServices

/// The services about rooms as a server of one process runs them, on a database of its own.
final class RoomFixture: Sendable {
  let database: TestDatabase
  let stores: RoomStores
  let rooms: RoomServices
  let config: HomeserverConfig
  private let hub: StreamHub
  private let users: LocalUsers
  let push: PushStores
  let accountData: AccountDataStore
  private let hubTask: Task<Void, any Error>

  static let alice = requester("alice")
  static let bob = requester("bob")
  static let carol = requester("carol")

  static func requester(_ name: Text) -> Requester {
    Requester(userID: UserID(unchecked: "@\(name):test"), deviceID: "\(name.asciiUppercased)1")
  }

  init(settings: Text = "", rateLimiter: RoomRateLimiter = .unlimited) async throws {
    database = try await TestDatabase.withSchema()
    config = try Self.config(settings)
    let logger = Logger.silent
    let clock = ServerClock.system
    let settings = config
    hub = StreamHub(
      instanceName: "master", writers: { settings.writers(of: $0) }, transport: InMemoryTransport(),
      clock: clock, logger: logger)
    let context = StoreContext(database: database.client, config: config, hub: hub, clock: clock, logger: logger)
    stores = RoomStores(context)
    let (accounts, clients) = (AccountStores(context), UserStores(context))
    accountData = clients.accountData
    push = PushStores(context, events: stores.events, receipts: clients.receipts)
    try await context.load()
    users = LocalUsers(
      profile: { LocalUsers.Profile(displayName: "Name of \($0.localpart)") }, isAdmin: { $0.localpart == "admin" },
      isSuspended: { $0.localpart == "suspended" }, blocksInvites: { invited, _ in invited.localpart == "shy" })
    let signer = EventSigner(serverName: "test", keyID: "ed25519:a", privateKey: Curve25519.Signing.PrivateKey())
    rooms = RoomServices(
      stores: stores, push: push, accountData: accountData, accounts: accounts,
      router: CallRouter(config: config, client: nil), signer: signer, logger: logger, users: users,
      rateLimiter: rateLimiter)
    hubTask = Task { [hub] in try await hub.run() }
    await hub.waitUntilCaughtUp()
  }

  deinit { hubTask.cancel() }

  private static func config(_ settings: Text) throws -> HomeserverConfig {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("myelin-rooms-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("homeserver.yaml")
    let text = """
      server_name: test
      macaroon_secret_key: secret
      form_secret: secret
      signing_key: "ed25519 a_1 \(UnpaddedBase64.encode([UInt8](repeating: 7, count: 32)))"
      database: {name: psycopg2, args: {dbname: test}}
      \(settings)
      """
    try Data(text.utf8).write(to: file)
    return try HomeserverConfig.load(paths: [Text(file.path)], role: .homeserver).0
  }

  /// Makes what delivers the batches of a submitter.
  func batchWorker() -> SubmissionBatchWorker {
    SubmissionBatchWorker(
      creator: rooms.submitter.creator, stores: stores, delivery: delivery(), locks: RoomLocks(nil), logger: .silent)
  }

  private func delivery() -> PersisterDelivery {
    PersisterDelivery(
      stores: stores, state: rooms.state, persister: rooms.persister,
      pushActions: PushActionEvaluator(
        stores: stores, rules: push.rules, accountData: accountData, state: rooms.state, config: config),
      router: CallRouter(config: config, client: nil), hub: hub, clock: .system, logger: .silent)
  }

  /// Makes another submitter, which is unaware of what the first one has under way, as if it were in another process.
  func anotherSubmitter() -> EventSubmitter {
    EventSubmitter(
      creator: rooms.submitter.creator, stores: stores, delivery: delivery(), users: users, rateLimiter: .unlimited,
      locks: RoomLocks(nil), logger: .silent)
  }

  // MARK: Shorthand

  /// Makes the device's row, without which no transaction of it can be remembered.
  func addDevice(_ requester: Requester) async throws {
    let (user, device) = (requester.userID.rawValue, requester.deviceID ?? "")
    _ = try await database.client.run(
      "INSERT INTO devices (user_id, device_id, hidden) VALUES (\(user), \(device), false)")
  }

  func createRoom(_ requester: Requester = alice, _ body: JSON = ["preset": "public_chat"]) async throws -> RoomID {
    let request = try RoomCreationRequest(try body.document(), defaultVersion: config.rooms.defaultRoomVersion)
    return try await rooms.creation.create(request, requester: requester)
  }

  @discardableResult
  func change(
    _ action: MembershipAction, _ room: RoomID, by requester: Requester, of target: Requester? = nil
  ) async throws -> EventID {
    try await rooms.memberships.change(
      MembershipRequest(roomID: room, target: (target ?? requester).userID, action: action), requester: requester)
  }

  @discardableResult
  func say(
    _ text: Text, _ room: RoomID, _ requester: Requester = alice, transaction: Text? = nil,
    extra: [Text: JSON] = [:], through submitter: EventSubmitter? = nil
  ) async throws -> EventID {
    var content: [Text: JSON] = ["msgtype": "m.text", "body": .string(text)]
    content.merge(extra) { $1 }
    return try await (submitter ?? rooms.submitter).submit(
      ClientEventDraft(roomID: room, type: "m.room.message", content: .object(content), transactionID: transaction),
      requester: requester)
  }

  func set(_ type: Text, _ content: JSON, _ room: RoomID, _ requester: Requester = alice) async throws -> EventID {
    try await rooms.submitter.submit(
      ClientEventDraft(roomID: room, type: type, stateKey: "", content: content), requester: requester)
  }

  /// Reads the room's events oldest first, as the given user sees them.
  func timeline(_ room: RoomID, _ requester: Requester = alice, limit: Int = 500) async throws -> [ClientEvent] {
    try await rooms.history.messages(
      room: room, from: nil, to: nil, direction: .forward, limit: limit, filter: EventFilter(),
      requester: requester
    ).chunk
  }

  func json(_ event: ClientEvent, _ format: ClientEventFormat = .full, _ reader: Requester = alice) throws -> JSON {
    var writer = JSONWriter()
    rooms.serializer.write(event, ClientEventOptions(format, requester: reader, now: 1), to: &writer)
    return try JSON.parse(writer.bytes)
  }

  /// Runs something that must be refused, and returns how.
  func refusal(_ body: () async throws -> Void) async throws -> MatrixError? {
    do {
      try await body()
      return nil
    } catch let error as MatrixError {
      return error
    }
  }
}
