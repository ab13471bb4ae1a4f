import Logging
import MatrixPrimitives
import Replication
import RoomServices
import Stores

/// `POST copy_push_rules/<user_id>/<old_room_id>/<new_room_id>`, body `{}`: gives a user's rules about a room to the one that replaces it.
struct CopyPushRules: ReplicationCall {
  static let name = "copy_push_rules"
  static let argumentNames = ["user_id", "old_room_id", "new_room_id"]
  static let isCached = false

  let userID: UserID
  let old: RoomID
  let new: RoomID

  var arguments: [Text] { [userID.rawValue, old.rawValue, new.rawValue] }
  var destination: CallDestination { .writer(of: .pushRules) }

  typealias Answer = EmptyAnswer
}

extension CopyPushRules {
  init(arguments: CallArguments, body: JSONValue) throws(MatrixError) {
    userID = try arguments.identifier("user_id")
    old = try arguments.identifier("old_room_id")
    new = try arguments.identifier("new_room_id")
  }
}

/// What this server's users have said of a room, for the room that replaces it: tags, push rules, and whether it is a talk with one user.
final class RoomSuccession: Sendable {
  private let accountData: AccountDataService
  private let accountDataStore: AccountDataStore
  private let pushRules: PushRuleService
  private let router: CallRouter
  private let logger: Logger

  init(
    accountData: AccountDataService, store: AccountDataStore, pushRules: PushRuleService, router: CallRouter,
    logger: Logger
  ) {
    self.accountData = accountData
    accountDataStore = store
    self.pushRules = pushRules
    self.router = router
    self.logger = logger
  }

  /// The call by which other processes have the writer of push rules copy them.
  var calls: [ServedCall] {
    [ServedCall(CopyPushRules.self) { try await self.carryOut($0) }]
  }

  private func carryOut(_ call: CopyPushRules) async throws -> EmptyAnswer {
    try await router.perform(call) { call in
      try await pushRules.copy(of: call.userID, from: call.old, to: call.new)
      return EmptyAnswer()
    }
  }

  /// Carries over what users have said. What fails for one user is left out.
  ///
  /// Cost: two statements, and some for each user who has said anything.
  func carry(from old: RoomID, to new: RoomID, users: [UserID]) async throws {
    for user in try await accountDataStore.usersWithData(about: old, among: users) {
      await attempt(user) { try await self.copyData(of: user, from: old, to: new) }
    }
    for user in try await pushRules.store.usersWithRules(naming: old, among: users) {
      await attempt(user) { _ = try await self.carryOut(CopyPushRules(userID: user, old: old, new: new)) }
    }
  }

  private func attempt(_ user: UserID, _ body: () async throws -> Void) async {
    do {
      try await body()
    } catch {
      logger.warning("What \(user) said of a room could not be carried over: \(error)")
    }
  }

  private func copyData(of user: UserID, from old: RoomID, to new: RoomID) async throws {
    let data = try await accountDataStore.data(of: user)
    if let direct = data.global[AccountDataStore.directRooms],
      let content = Self.direct(try JSON.parse(direct.content), from: old, to: new)
    {
      try await accountData.set(user, type: AccountDataStore.directRooms, content: try content.document())
    }
    for (tag, content) in data.tags[old]?.tags ?? [:] {
      try await accountData.setTagUnchecked(user, room: new, tag: tag, content: try JSONValue.parse(content))
    }
  }

  /// Adds the new room to the first user under whom the old one is; nil when nothing changes.
  private static func direct(_ content: JSON, from old: RoomID, to new: RoomID) -> JSON? {
    guard var members = content.members else { return nil }
    for (user, value) in members.sorted(by: { $0.key < $1.key }) {
      guard let rooms = value.elements, rooms.contains(.string(old.rawValue)), !rooms.contains(.string(new.rawValue))
      else { continue }
      members[user] = .array(rooms + [.string(new.rawValue)])
      return .object(members)
    }
    return nil
  }
}

extension PushRuleService {
  /// Gives a user's rules about a room to another one.
  func copy(of user: UserID, from old: RoomID, to new: RoomID) async throws {
    let stored = try await store.rules(of: user)
    for rule in stored.rules.reversed() where stored.enabled[rule.ruleID] ?? true {
      guard let copy = rule.copied(from: old, to: new) else { continue }
      _ = try await store.add(copy, for: user, at: .first, limits: limits)
    }
  }
}

extension StoredPushRule {
  /// Returns the same rule about another room; nil for a rule that is not about the first one.
  fileprivate func copied(from old: RoomID, to new: RoomID) -> StoredPushRule? {
    func isAbout(_ condition: JSON) -> Bool { condition["key"]?.string == "room_id" }
    let known = conditions.elements ?? []
    guard known.contains(where: { isAbout($0) && $0["pattern"]?.string == old.rawValue }) else { return nil }
    let changed = known.map { condition -> JSON in
      guard isAbout(condition) else { return condition }
      var copy = condition
      copy["pattern"] = .string(new.rawValue)
      return copy
    }
    let scope = ruleID.split(separator: UInt8(ascii: "/"), maxSplits: .max, omittingEmptySubsequences: false).dropLast()
    return StoredPushRule(
      ruleID: (scope + [new.rawValue]).joined(separator: "/"), priorityClass: priorityClass,
      conditions: .array(changed), actions: actions)
  }
}
