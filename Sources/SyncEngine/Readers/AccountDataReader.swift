import MatrixPrimitives
import Stores

/// The reader of a user's account data, global and of rooms, whole or as it changed.
final class AccountDataReader: Sendable {
  /// A user's account data of rooms; rooms without any are absent.
  struct OfRooms: Sendable {
    var entries: [RoomID: [Text: UserAccountData.Entry]] = [:]
    var tags: [RoomID: UserAccountData.RoomTags] = [:]
  }

  private let accountData: AccountDataStore
  private let ruleStore: PushRuleStore
  private let rules: PushRuleService
  /// Whether empty data counts as deleted; who asks for all data does not get it then, who asks for changes does.
  private let omitsEmpty: Bool

  init(accountData: AccountDataStore, ruleStore: PushRuleStore, rules: PushRuleService, omitsEmpty: Bool) {
    self.omitsEmpty = omitsEmpty
    self.accountData = accountData
    self.ruleStore = ruleStore
    self.rules = rules
  }

  /// Reads whose events and invitations the user does not want to see.
  func ignoredUsers(of user: UserID) async throws -> Set<UserID> { try await accountData.data(of: user).ignoredUsers }

  /// Reads global account data, push rules apart.
  ///
  /// - Parameter position: the position after which changes count; nil for all data.
  func global(of user: UserID, after position: Int64?) async throws -> [Text: UserAccountData.Entry] {
    guard let position else { return present(try await accountData.data(of: user).global) }
    guard accountData.changes.hasChanged(user.rawValue, since: position) else { return [:] }
    return try await accountData.data(of: user).globalChanges(since: position)
  }

  /// Reads the content of `m.push_rules`.
  ///
  /// - Parameter position: the position in the stream of push rules after which a change counts; nil for the rules in any case.
  /// - Returns: nil when the rules have not changed.
  func pushRules(of user: UserID, after position: Int64?) async throws -> [UInt8]? {
    if let position, try await !ruleStore.haveChanged(user, since: position) { return nil }
    return try await rules.rulesJSON(of: user)
  }

  /// Reads account data of rooms, all together.
  ///
  /// - Parameters:
  ///   - position: the position after which changes count; nil for all data.
  ///   - newRooms: rooms that the client has not seen yet, which come with the tags that they have.
  func ofRooms(
    of user: UserID, after position: Int64?, newRooms: Set<RoomID>
  ) async throws -> OfRooms {
    let data = try await accountData.data(of: user)
    guard let position else {
      let entries = omitsEmpty ? data.rooms.mapValues(present).filter { !$0.value.isEmpty } : data.rooms
      return OfRooms(entries: entries, tags: data.tags.filter { !$0.value.tags.isEmpty })
    }
    var found = OfRooms()
    if accountData.changes.hasChanged(user.rawValue, since: position) {
      found.entries = data.roomChanges(since: position)
      found.tags = data.tagChanges(since: position)
    }
    for room in newRooms where found.tags[room] == nil {
      if let tags = data.tags[room], !tags.tags.isEmpty { found.tags[room] = tags }
    }
    return found
  }

  private func present(_ entries: [Text: UserAccountData.Entry]) -> [Text: UserAccountData.Entry] {
    omitsEmpty ? entries.filter { !$0.value.isEmpty } : entries
  }
}
