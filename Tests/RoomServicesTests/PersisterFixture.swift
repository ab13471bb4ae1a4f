import Crypto
import Logging
import MatrixEvents
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import StorageEngine
import Stores
import Synchronization
import TestSupport

@testable import EventPersistence
@testable import RoomServices

/// A record of what was announced. Apart from the fixture, which nobody may keep alive beyond its test.
private final class Recorder: Sendable {
  let batches = Mutex<[StreamBatch]>([])
}

/// A server of one process on a database of its own, able to persist events.
final class PersisterFixture: Sendable {
  static let serverName = "test.example"

  let database: PostgresClient
  let stores: RoomStores
  let push: PushStores
  let users: UserStores
  let accounts: AccountStores
  let hub: StreamHub
  let state: StateService
  let persister: EventPersister
  let signer: EventSigner
  let clock = ServerClock.test()
  private let recorder = Recorder()

  private init(database: PostgresClient, usesCompanions: Bool, settings: Text) throws {
    let text = """
      server_name: \(Self.serverName)
      report_stats: false
      signing_key: ed25519 a_test MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI
      macaroon_secret_key: secret
      database: {name: psycopg2, args: {user: synapse, database: synapse}}
      \(settings)
      """
    let (config, _) = try HomeserverConfig.parse([("test.yaml", Array(text.utf8))], role: .homeserver)
    let logger = Logger.silent
    self.database = database
    hub = StreamHub(
      instanceName: "master", writers: { config.writers(of: $0) }, transport: InMemoryTransport(),
      clock: clock, logger: logger)
    let context = StoreContext(database: database, config: config, hub: hub, clock: clock, logger: logger)
    stores = RoomStores(context)
    users = UserStores(context)
    accounts = AccountStores(context)
    push = PushStores(context, events: stores.events, receipts: users.receipts)
    state = StateService(stores: stores, logger: logger)
    persister = EventPersister(
      stores: stores, state: state, hub: hub, logger: logger, usesCompanions: usesCompanions)
    let key = try Curve25519.Signing.PrivateKey(rawRepresentation: Array("12345678901234567890123456789012".utf8))
    signer = EventSigner(serverName: Self.serverName, keyID: "ed25519:a_test", privateKey: key)
  }

  /// Makes a server on a new database.
  static func make(usesCompanions: Bool = true, settings: Text = "") async throws -> PersisterFixture {
    try await on(
      try await TestDatabase.withSchema().client, usesCompanions: usesCompanions, settings: settings)
  }

  /// Makes a server on a database that is in use already, as after a restart.
  static func on(
    _ database: PostgresClient, usesCompanions: Bool = true, settings: Text = ""
  ) async throws -> PersisterFixture {
    let fixture = try PersisterFixture(database: database, usesCompanions: usesCompanions, settings: settings)
    try await fixture.stores.context.load()
    for stream in [StreamName.events, .backfill, .caches] {
      fixture.hub.subscribe(stream) { [recorder = fixture.recorder] batch in
        recorder.batches.withLock { $0.append(batch) }
      }
    }
    return fixture
  }

  /// Reads a statement's rows as lines of text, columns joined by `|` and NULL left out.
  func lines(_ sql: SQL) async throws -> [Text] {
    let rows = try await database.run(sql)
    let columns = rows.columnNames.count
    return try rows.map { row in
      var cells: [Text] = []
      for column in 0..<columns { if let cell = try row.get(column, as: Text?.self) { cells.append(cell) } }
      return cells.joined(separator: "|")
    }
  }

  /// Returns the batches of a stream that were announced so far.
  func announced(_ stream: StreamName) async -> [StreamBatch] {
    await hub.waitUntilIdle()
    return recorder.batches.withLock { $0.filter { $0.stream == stream } }
  }

  /// Makes a room with its creator in it, public, version 10 unless said otherwise.
  func makeRoom(
    creator: UserID = Users.alice, version: RoomVersion = .v10, extra: [(Text, JSON)] = []
  ) async throws -> TestRoom {
    let room = try await TestRoom.create(self, creator: creator, version: version)
    try await room.sendBatch(
      [
        Sending("m.room.member", creator.rawValue, creator, ["membership": "join", "displayname": "Creator"]),
        Sending("m.room.power_levels", "", creator, room.powerLevels(creator)),
        Sending("m.room.join_rules", "", creator, ["join_rule": "public"]),
      ] + extra.map { Sending($0.0, "", creator, $0.1) })
    return room
  }
}

/// The users of tests.
enum Users {
  static let alice = UserID(unchecked: "@alice:test.example")
  static let bob = UserID(unchecked: "@bob:test.example")
  static let carol = UserID(unchecked: "@carol:test.example")
  static let remote = UserID(unchecked: "@rita:remote.example")
}

/// An event that a test sends.
struct Sending: Sendable {
  var type: Text
  var stateKey: Text?
  var sender: UserID
  var content: JSON
  var redacts: EventID?

  init(_ type: Text, _ stateKey: Text?, _ sender: UserID, _ content: JSON, redacts: EventID? = nil) {
    self.type = type
    self.stateKey = stateKey
    self.sender = sender
    self.content = content
    self.redacts = redacts
  }

  static func message(_ body: Text, _ sender: UserID = Users.alice) -> Sending {
    Sending("m.room.message", nil, sender, ["msgtype": "m.text", "body": .string(body)])
  }
}

/// A room whose events are made and persisted.
struct TestRoom: Sendable {
  let fixture: PersisterFixture
  let roomID: RoomID
  let version: RoomVersion

  /// Returns the room's forward extremities.
  func edge() async throws -> Set<EventID> { Set(try await fixture.stores.rooms.forwardExtremities(roomID).keys) }

  func powerLevels(_ creator: UserID) -> JSON {
    version.hasCreatorPower ? ["users": [:]] : ["users": .object([creator.rawValue: 100])]
  }

  static func create(_ fixture: PersisterFixture, creator: UserID, version: RoomVersion) async throws -> TestRoom {
    var content: JSON = ["room_version": .string(version.identifier)]
    if !version.isCreatorImplicit {
      content = ["room_version": .string(version.identifier), "creator": .string(creator.rawValue)]
    }
    let named = RoomID(unchecked: "!\(RandomString.letters(10)):\(PersisterFixture.serverName)")
    let draft = EventDraft(
      type: "m.room.create", stateKey: "", sender: creator, roomID: version.isRoomIDCreateHash ? nil : named,
      content: content, originServerTS: fixture.clock.nowMilliseconds)
    let event = try draft.seal(version: version, signer: fixture.signer, serverName: PersisterFixture.serverName)
    let room = TestRoom(fixture: fixture, roomID: event.roomID, version: version)
    try await fixture.stores.rooms.storeRoom(event.roomID, creator: creator, version: version, isPublic: false)
    let context = try await fixture.state.context(
      for: event, before: ResolvedState(group: nil, snapshot: StateSnapshot()))
    _ = try await fixture.persister.persist(
      [PersistableEvent(event: event, context: context, pushActions: [])], roomID: event.roomID)
    return room
  }

  /// Makes an event after the given ones, or after the room's edge.
  func make(
    _ sending: Sending, after: [EventID]? = nil, state given: ResolvedState? = nil, depth: Int64? = nil
  ) async throws -> (event: Event, context: EventContext) {
    let stores = fixture.stores
    let edge = try await stores.rooms.prevEventsForNewEvent(roomID)
    let prevs = after ?? edge.map(\.eventID)
    let before: ResolvedState
    if let given {
      before = given
    } else {
      before = try await fixture.state.stateBefore(roomID: roomID, version: version, prevEvents: prevs)
    }
    var level = depth ?? 0
    if depth == nil {
      for position in try await stores.events.positions(of: prevs).values { level = max(level, position.depth + 1) }
    }
    var draft = EventDraft(
      type: sending.type, stateKey: sending.stateKey, sender: sending.sender, roomID: roomID,
      content: sending.content, prevEvents: prevs, depth: level, originServerTS: fixture.clock.nowMilliseconds,
      redacts: sending.redacts)
    let keys = AuthRules.authEventKeys(for: draft, version: version)
    draft.authEvents = before.map(.keys(keys)).values.sorted()
    let server = sending.sender.serverName
    let event = try draft.seal(version: version, signer: fixture.signer, serverName: server)
    return (event, try await fixture.state.context(for: event, before: before))
  }

  @discardableResult
  func send(
    _ sending: Sending, after: [EventID]? = nil, metadata: EventMetadata = EventMetadata(), rejected: Text? = nil,
    pushActions: [PushAction]? = []
  ) async throws -> StoredEvent {
    var (event, context) = try await make(sending, after: after)
    context.rejected = rejected
    let item = PersistableEvent(event: event, context: context, metadata: metadata, pushActions: pushActions)
    return try await fixture.persister.persist([item], roomID: roomID)[0]
  }

  /// Persists events that follow each other in one call.
  @discardableResult
  func sendBatch(_ sendings: [Sending]) async throws -> [StoredEvent] {
    let edge = try await fixture.stores.rooms.prevEventsForNewEvent(roomID)
    var prevs = edge.map(\.eventID)
    var depth = (edge.map(\.depth).max() ?? 0) + 1
    var before = try await fixture.state.stateBefore(roomID: roomID, version: version, prevEvents: prevs)
    var items: [PersistableEvent] = []
    for sending in sendings {
      let (event, context) = try await make(sending, after: prevs, state: before, depth: depth)
      items.append(PersistableEvent(event: event, context: context, pushActions: []))
      before = try await fixture.state.stateAfter(context)
      prevs = [event.eventID]
      depth += 1
    }
    return try await fixture.persister.persist(items, roomID: roomID)
  }

  @discardableResult
  func join(_ user: UserID) async throws -> StoredEvent {
    try await send(Sending("m.room.member", user.rawValue, user, ["membership": "join"]))
  }
}
