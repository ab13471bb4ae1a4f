import MatrixPrimitives
import Stores

/// What an answer says beside rooms; nil for what the client does not want.
struct SlidingExtensions: Sendable {
  /// Messages for the device.
  struct ToDevice: Sendable {
    /// The position up to which the messages are complete.
    var next: Int64
    var messages: [[UInt8]] = []
  }

  /// What a client that encrypts has to know.
  struct Keys: Sendable {
    /// Users whose devices have changed; nil for a connection that begins.
    var changes: DeviceListReader.Changes?
    var oneTimeKeyCounts: [Text: Int] = [:]
    var unusedFallbackKeys: [Text] = []
  }

  /// Account data.
  struct AccountData: Sendable {
    var global: [SyncResult.Item] = []
    var rooms: [RoomID: [SyncResult.Item]] = [:]
  }

  var toDevice: ToDevice?
  var keys: Keys?
  var accountData: AccountData?
  /// Receipts: an `m.receipt` event for each room.
  var receipts: [RoomID: [UInt8]]?
  /// Who types in each room.
  var typing: [RoomID: [UserID]]?
  /// Changes of subscriptions to threads, oldest first; nil when there are none.
  var threadSubscriptions: [ThreadSubscriptionChange]?
  /// Whether older changes of subscriptions were left out.
  var hasOlderSubscriptions = false

  /// Whether there is anything that a waiting client should be woken for. The numbers of keys left are no such thing: clients do not show them.
  var areNews: Bool {
    toDevice?.messages.isEmpty == false || keys?.changes.map { !$0.changed.isEmpty || !$0.left.isEmpty } ?? false
      || accountData.map { !$0.global.isEmpty || !$0.rooms.isEmpty } ?? false || receipts?.isEmpty == false
      || typing?.isEmpty == false || threadSubscriptions != nil
  }
}
