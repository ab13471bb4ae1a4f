import MatrixEvents
import MatrixPrimitives
import ServerConfig
import StorageEngine
import Stores
import Synchronization

/// The evaluation of whom of the room's local members an event is to notify, and how.
public final class PushActionEvaluator: Sendable {
  private let stores: RoomStores
  private let rules: PushRuleStore
  private let accountData: AccountDataStore
  private let state: StateService
  private let config: HomeserverConfig
  private let countsUnread: Bool
  /// Whether users can follow threads (MSC4306).
  private let followsThreads: Bool
  private let compiled: CompiledPushRules
  /// What members are called, by state group.
  private let displayNames: Cache<Int64, [UserID: Text]>

  /// Makes an evaluator that remembers nothing yet.
  public init(
    stores: RoomStores, rules: PushRuleStore, accountData: AccountDataStore, state: StateService,
    config: HomeserverConfig
  ) {
    self.stores = stores
    self.rules = rules
    self.accountData = accountData
    self.state = state
    self.config = config
    countsUnread = config.experimental.isEnabled("msc2654_enabled")
    followsThreads = config.experimental.isEnabled("msc4306_enabled")
    compiled = CompiledPushRules(withThreads: followsThreads)
    displayNames = stores.caches.cache("*roomDisplayNames*", byteBudget: 8 << 20) { 64 + $1.count * 96 }
  }

  /// Evaluates the push rules of every local member but the sender.
  ///
  /// - Parameter before: the state before the event, which need not be written yet.
  /// - Returns: the users who are notified, or who count the event as unread, together as far as they want the same.
  public func actions(for event: Event, before: ResolvedState) async throws -> [PushAction] {
    guard config.push.isEnabled, !config.rooms.excludedFromSync.contains(event.roomID) else { return [] }
    let users = try await recipients(of: event)
    guard !users.isEmpty else { return [] }
    let makesUnread = countsUnread && Self.makesUnread(event)
    let counts = try await stores.memberships.memberCounts(event.roomID)
    let followedThread = followsThreads ? try await thread(of: event) : "main"
    let followers =
      followedThread == "main"
      ? nil
      : try await stores.threadSubscriptions.followers(of: EventID(unchecked: followedThread), in: event.roomID)
    let evaluator = PushRuleEvaluator(
      event: event, roomMemberCount: counts.joined, powerLevels: try await powerLevels(before),
      threadFollowers: followers)
    let rules = try await rules.rules(of: users)
    let names = try await names(event, before: before)
    var groups: [Group] = []
    for (user, stored) in zip(users, rules) {
      let outcome = evaluator.evaluate(
        compiled.rules(of: user, stored: stored), for: user,
        displayName: names[user] ?? Self.ownName(in: event, of: user))
      let wanted = outcome.flatMap { $0.notifies ? $0 : nil }
      guard wanted != nil || makesUnread else { continue }
      Self.add(user, wanting: wanted, to: &groups)
    }
    guard !groups.isEmpty else { return [] }
    let threadID = followers == nil ? try await thread(of: event) : followedThread
    return groups.map { group in
      PushAction(
        userIDs: group.users, actions: group.outcome?.actions ?? [], notify: group.outcome != nil,
        highlight: group.outcome?.isHighlight ?? false, unread: makesUnread, threadID: threadID)
    }
  }

  /// The users for whom an event has the same outcome; nil if none of them is notified.
  private struct Group {
    let outcome: PushOutcome?
    var users: [UserID]
  }

  /// The number of groups to which an outcome is compared, so that many different ones cost little; more groups do no
  /// harm.
  private static let comparedGroups = 8

  private static func add(_ user: UserID, wanting outcome: PushOutcome?, to groups: inout [Group]) {
    if let place = groups.prefix(comparedGroups).firstIndex(where: { $0.outcome == outcome }) {
      groups[place].users.append(user)
    } else {
      groups.append(Group(outcome: outcome, users: [user]))
    }
  }

  /// Lists the local users whose rules are looked at. A membership concerns only the user whom it is about.
  private func recipients(of event: Event) async throws -> [UserID] {
    var users: [UserID]
    if event.type == EventType.member, let target = event.stateKey.flatMap({ UserID($0) }) {
      guard target != event.sender, target.serverName == config.serverName else { return [] }
      let isInside = try await stores.memberships.isJoined(target, in: event.roomID)
      users = isInside || event.membership == "invite" ? [target] : []
    } else {
      users = try await stores.memberships.localJoinedUsers(event.roomID).filter { $0 != event.sender }
    }
    guard !users.isEmpty, !event.isState else { return users }
    let ignorers = try await accountData.ignorers(of: event.sender)
    if !ignorers.isEmpty { users.removeAll { ignorers.contains($0) } }
    return users
  }

  private func powerLevels(_ before: ResolvedState) async throws -> PowerLevels {
    let create = StateKey(EventType.create)
    let levels = StateKey(EventType.powerLevels)
    let found = try await state.authEvents(for: [create, levels], in: before)
    return PowerLevels(create: found[create]?.event, powerLevels: found[levels]?.event)
  }

  /// Reads what the members are called in the room; only a text can mention them.
  private func names(_ event: Event, before: ResolvedState) async throws -> [UserID: Text] {
    guard event.content["body"]?.string != nil, let group = before.group else { return [:] }
    let stores = stores
    return try await displayNames.value(group) {
      try await stores.memberships.joinedProfiles(event.roomID).reduce(into: [:]) { names, member in
        if let name = member.displayName, !name.isEmpty { names[member.userID] = name }
      }
    }
  }

  private static func ownName(in event: Event, of user: UserID) -> Text? {
    guard event.type == EventType.member, event.stateKey == user.rawValue else { return nil }
    return event.content["displayname"]?.string
  }

  /// Finds the root of the thread that the event belongs to, by its own relation or by that of what it relates to.
  private func thread(of event: Event) async throws -> Text {
    guard let relation = EventRelation(event.content) else { return "main" }
    if relation.type == EventRelation.Kind.thread { return relation.parentID.rawValue }
    return try await stores.relations.thread(of: relation.parentID)?.rawValue ?? "main"
  }

  private static let stateThatMakesUnread: Set<Text> = [
    "m.room.topic", "m.room.name", "m.room.avatar", "m.room.tombstone",
  ]

  /// Returns whether an event makes a room unread (MSC2654, as Synapse counts): texts that are no notices and no edits,
  /// and the changes of a room that members would want to see.
  static func makesUnread(_ event: Event) -> Bool {
    if !event.isState, event.type == EventType.message, event.content["msgtype"]?.string == "m.notice" { return false }
    if EventRelation(event.content)?.type == EventRelation.Kind.replacement { return false }
    if let body = event.content["body"]?.string, !body.isEmpty { return true }
    return event.isState ? stateThatMakesUnread.contains(event.type) : event.type == EventType.encrypted
  }
}

/// The rules of users in the form in which they are evaluated.
private final class CompiledPushRules: Sendable {
  private static let capacity = 10_000
  private let withThreads: Bool
  private let entries = Mutex<[UserID: (stored: StoredPushRules, rules: PushRules)]>([:])

  init(withThreads: Bool) { self.withThreads = withThreads }

  func rules(of user: UserID, stored: StoredPushRules) -> PushRules {
    if stored.rules.isEmpty, stored.enabled.isEmpty { return withThreads ? .threadDefaults : .defaults }
    if let entry = entries.withLock({ $0[user] }), entry.stored == stored { return entry.rules }
    let rules = PushRules(stored: stored.rules.map(Self.rule), enabled: stored.enabled, withThreads: withThreads)
    entries.withLock { entries in
      if entries.count >= Self.capacity { entries.removeAll(keepingCapacity: true) }
      entries[user] = (stored, rules)
    }
    return rules
  }

  /// Translates a row; one that only changes a default rule's actions has no kind of its own.
  private static func rule(_ stored: StoredPushRule) -> PushRule {
    PushRule(
      ruleID: stored.ruleID, kind: PushRule.Kind(priorityClass: stored.priorityClass) ?? .override,
      conditions: stored.conditions, actions: stored.actions)
  }
}
