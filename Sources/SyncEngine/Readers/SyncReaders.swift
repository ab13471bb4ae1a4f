import RoomServices
import Stores

/// What every kind of sync is put together from. None takes a request: each is asked for rooms, spans and limits, and reads for all rooms
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
    stores: SyncStores, visibility: VisibilityFilter, notifier: Notifier, tokens: CurrentTokens, typing: TypingService,
    pushRules: PushRuleService, omitsEmptyAccountData: Bool
  ) {
    memberships = MembershipReader(
      memberships: stores.memberships, events: stores.events, notifier: notifier, tokens: tokens)
    timelines = TimelineReader(events: stores.events, openness: stores.historyOpenness, visibility: visibility)
    states = RoomStateReader(state: stores.state, events: stores.events)
    summaries = RoomSummaryReader(
      memberships: stores.memberships, state: stores.state, events: stores.events, members: stores.sync)
    accountData = AccountDataReader(
      accountData: stores.accountData, ruleStore: stores.pushRules, rules: pushRules,
      omitsEmpty: omitsEmptyAccountData)
    ephemeral = EphemeralReader(typing: typing, receipts: stores.receipts)
    deviceLists = DeviceListReader(
      devices: stores.deviceLists, memberships: memberships, events: stores.events)
  }
}
