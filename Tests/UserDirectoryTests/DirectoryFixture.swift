import Foundation
import Logging
import MatrixPrimitives
import Postgres
import Replication
import ServerConfig
import TestSupport

@testable import Stores
@testable import UserDirectory

/// The stores of the directory on a database of its own, and rooms made of the rows that they read.
struct DirectoryFixture {
  let database: PostgresClient
  let context: StoreContext
  let stores: DirectoryStores
  let accounts: AccountStores
  let rooms: RoomStores

  init(settings: Text = "") async throws {
    let text: Text = """
      server_name: test
      signing_key: ed25519 a_test MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI
      macaroon_secret_key: secret
      database: {name: psycopg2, args: {user: none, database: none}}
      \(settings)
      """
    let (config, _) = try HomeserverConfig.parse([("test.yaml", Array(text.utf8))], role: .homeserver)
    database = try await TestDatabase.withSchema().client
    let hub = StreamHub(
      instanceName: "master", writers: { config.writers(of: $0) }, transport: InMemoryTransport(), clock: .system,
      logger: .silent)
    context = StoreContext(database: database, config: config, hub: hub, clock: .system, logger: .silent)
    rooms = RoomStores(context)
    accounts = AccountStores(context)
    stores = DirectoryStores(context, rooms: rooms)
  }

  /// Makes an account with its row in the directory.
  func account(_ name: Text, displayName: Text? = nil, type: Text? = nil) async throws -> UserID {
    let user = UserID(unchecked: "@\(name):test")
    return try await accounts.accounts.register(
      NewAccount(userID: user, passwordHash: nil, userType: type, displayName: displayName), completing: nil,
      nowMilliseconds: 1000, admit: {})
  }

  /// Sets a membership in the current state of a room.
  func member(_ user: UserID, _ room: RoomID, _ membership: Text, name: Text? = nil) async throws {
    let event = "$\(room.rawValue)\(user.rawValue)\(membership)" as Text
    try await database.transaction("member") { txn in
      txn.enqueue("DELETE FROM current_state_events WHERE room_id = \(room.rawValue) AND state_key = \(user.rawValue)")
      txn.enqueue(
        "DELETE FROM local_current_membership WHERE room_id = \(room.rawValue) AND user_id = \(user.rawValue)")
      txn.enqueue("DELETE FROM room_memberships WHERE event_id = \(event)")
      txn.enqueue(
        """
        INSERT INTO current_state_events (event_id, room_id, type, state_key, membership)
        VALUES (\(event), \(room.rawValue), 'm.room.member', \(user.rawValue), \(membership))
        """)
      txn.enqueue(
        """
        INSERT INTO room_memberships (event_id, user_id, sender, room_id, membership, display_name)
        VALUES (\(event), \(user.rawValue), \(user.rawValue), \(room.rawValue), \(membership), \(name))
        """)
      if user.serverName == "test" {
        txn.enqueue(
          """
          INSERT INTO local_current_membership (room_id, user_id, event_id, membership)
          VALUES (\(room.rawValue), \(user.rawValue), \(event), \(membership))
          """)
      }
    }
  }

  func update(_ users: [UserID], _ room: RoomID, isOpen: Bool) async throws {
    try await stores.userDirectory.update(
      users.map { UserDirectoryStore.Member(roomID: room, userID: $0) }, open: isOpen ? [room] : [])
  }

  /// Reads the rows of a statement with one column of text, sorted.
  func texts(_ sql: SQL) async throws -> [Text] {
    try await database.run(sql).map { try $0.get(0, as: Text.self) }.sorted()
  }

  func inOpenRooms() async throws -> [Text] {
    try await texts("SELECT user_id || ' ' || room_id FROM users_in_public_rooms")
  }

  func pairs() async throws -> [Text] {
    try await texts("SELECT user_id || ' ' || other_user_id FROM users_who_share_private_rooms")
  }
}
