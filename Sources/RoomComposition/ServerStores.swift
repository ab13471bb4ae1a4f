import Stores

/// The stores of a process with rooms, by domain.
package struct ServerStores: Sendable {
  /// Rooms and their events.
  package let rooms: RoomStores
  /// Accounts.
  package let accounts: AccountStores
  /// What users' clients keep and tell.
  package let users: UserStores
  /// The user directory, statistics and reports.
  package let directory: DirectoryStores
  /// Push rules and what is unread.
  package let push: PushStores
  /// Keys.
  package let encryption: EncryptionStores

  /// Makes the stores; those first from which others derive what they remember.
  init(_ context: StoreContext) {
    rooms = RoomStores(context)
    accounts = AccountStores(context)
    users = UserStores(context)
    directory = DirectoryStores(context, rooms: rooms)
    push = PushStores(context, events: rooms.events, receipts: users.receipts)
    encryption = EncryptionStores(context)
  }
}
