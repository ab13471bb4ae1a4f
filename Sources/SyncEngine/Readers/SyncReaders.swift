import RoomServices
import Stores

/// What every kind of sync is put together from. None knows a request: each is asked for rooms, spans and limits, and reads for all rooms
/// together.
struct SyncReaders: Sendable {
  let memberships: MembershipReader
  let timelines: TimelineReader
  let states: RoomStateReader
  let summaries: RoomSummaryReader
  let accountData: AccountDataReader
  let ephemeral: EphemeralReader
  let deviceLists: DeviceListReader

  init(
    storage: SyncStores, visibility: VisibilityFilter, notifier: Notifier, tokens: CurrentTokens, typing: TypingService,
    pushRules: PushRuleService
  ) {
    memberships = MembershipReader(
      memberships: storage.memberships, events: storage.events, notifier: notifier, tokens: tokens)
    timelines = TimelineReader(events: storage.events, openness: storage.historyOpenness, visibility: visibility)
    states = RoomStateReader(state: storage.state, events: storage.events)
    summaries = RoomSummaryReader(
      memberships: storage.memberships, state: storage.state, events: storage.events, members: storage.sync)
    accountData = AccountDataReader(
      accountData: storage.accountData, ruleStore: storage.pushRules, rules: pushRules)
    ephemeral = EphemeralReader(typing: typing, receipts: storage.receipts)
    deviceLists = DeviceListReader(devices: storage.deviceLists, memberships: memberships)
  }
}
