import MatrixPrimitives
import Replication
import Stores

/// What computing a sync reads.
final class SyncStores: Sendable {
  let events: EventStore
  let state: StateStore
  let memberships: MembershipStore
  let historyOpenness: HistoryOpenness
  let accountData: AccountDataStore
  let receipts: ReceiptStore
  let presence: PresenceStore
  let toDevice: ToDeviceStore
  let deviceLists: DeviceListStore
  let pushRules: PushRuleStore
  let notificationCounts: NotificationCountStore
  let sync: SyncStore
  let instances: InstanceMapStore

  init(rooms: RoomStores, users: UserStores, push: PushStores, deviceLists: DeviceListStore) {
    events = rooms.events
    state = rooms.state
    memberships = rooms.memberships
    historyOpenness = rooms.historyOpenness
    accountData = users.accountData
    receipts = users.receipts
    presence = users.presence
    toDevice = users.toDevice
    self.deviceLists = deviceLists
    pushRules = push.rules
    notificationCounts = push.notificationCounts
    sync = SyncStore(rooms.context)
    instances = rooms.context.instances
  }
}
