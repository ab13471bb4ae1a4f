import MatrixEvents
import MatrixPrimitives
import Replication
import RoomServices
import Stores

/// The result of one `/sync` between a token and now, as ``SyncReaders`` find it.
///
/// What did not change is decided in memory, by change caches; what did is read for all rooms together. Nothing is read room by
/// room, apart from rooms the user has left.
final class SyncComputation: Sendable {
  let service: SyncService
  let request: SyncRequest
  let since: StreamToken?

  init(_ service: SyncService, _ request: SyncRequest, since: StreamToken?) {
    self.service = service
    self.request = request
    self.since = since
  }

  var stores: SyncStores { service.stores }
  var readers: SyncReaders { service.readers }
  var user: UserID { request.requester.userID }
  var filter: SyncFilter { request.filter }
  /// Whether everything is sent, not only what changed.
  var isFull: Bool { since == nil || request.wantsFullState }

  /// Returns a result without news, as for a process that could not catch up.
  func emptyResult() async throws -> SyncResult {
    var result = SyncResult(nextBatch: since ?? service.tokens.current())
    try await addKeyCounts(to: &result)
    return result
  }

  /// Computes the result up to this moment.
  func result() async throws -> SyncResult {
    let (memberships, now) = try await readers.memberships.current(of: user)
    var result = SyncResult(nextBatch: now)
    result.memberships = memberships
    try await addGlobalAccountData(to: &result)
    let changes = try await roomChanges(memberships, now)
    try await addRooms(changes, memberships, now, to: &result)
    let users = movements(changes, result)
    try await addPresence(users, now, to: &result)
    try await addDeviceLists(users, now, to: &result)
    try await addToDevice(now, to: &result)
    try await addKeyCounts(to: &result)
    return result
  }

  /// Brings what counts from now in an earlier result up to date, so that it can be given again.
  ///
  /// - Returns: nil when the user has changed something since that the result would hide.
  func renewed(_ earlier: SyncResult) async throws -> SyncResult? {
    guard try await !hasUserChangedAnything(since: earlier) else { return nil }
    var result = earlier
    let states = try await stores.presence.states(of: earlier.presence.map(\.user))
    result.presence = earlier.presence.map { states[$0.user] ?? $0 }
    try await addKeyCounts(to: &result)
    return result
  }

  /// Returns whether the user has come into another relation to a room, forgotten one, changed account data or push
  /// rules, or sent an event or a receipt.
  private func hasUserChangedAnything(since earlier: SyncResult) async throws -> Bool {
    let then = earlier.nextBatch
    let memberships = try await stores.memberships.allRooms(for: user)
    // The order is as the database gives them.
    guard memberships == earlier.memberships || Set(memberships) == Set(earlier.memberships),
      !stores.accountData.changes.hasChanged(user.rawValue, since: then.accountData),
      try await !stores.pushRules.haveChanged(user, since: then.pushRules)
    else { return true }
    let joined = memberships.lazy.filter { $0.membership == .join }.map(\.roomID)
    let rooms = stores.events.roomsChanged(joined, since: then.room) ?? Set(joined)
    guard !rooms.isEmpty || service.tokens.current().receipt != then.receipt else { return false }
    return try await stores.sync.hasWritten(
      user, eventsIn: Array(rooms), after: then.room.stream, receiptsAfter: then.receipt.stream)
  }

  // MARK: Account data

  private func addGlobalAccountData(to result: inout SyncResult) async throws {
    guard !filter.accountData.blocksAllTypes, !filter.accountData.blocksAllSenders else { return }
    let entries = try await readers.accountData.global(of: user, after: isFull ? nil : since?.accountData)
    var items = Self.items(entries, filter.accountData, room: nil)
    if filter.accountData.passes(type: "m.push_rules", sender: nil, room: nil, content: nil),
      let rules = try await readers.accountData.pushRules(of: user, after: isFull ? nil : since?.pushRules)
    {
      items.append(SyncResult.Item(type: "m.push_rules", content: rules))
    }
    result.accountData = items
  }

  static func items(
    _ entries: [Text: UserAccountData.Entry], _ filter: EventFilter, room: Text?
  ) -> [SyncResult.Item] {
    var items: [SyncResult.Item] = []
    for (type, entry) in entries {
      // Data that cannot be read has no `url`, like data without one.
      let passes = filter.passes(type: type, sender: nil, room: room, content: try? JSONValue.parse(entry.content))
      if passes { items.append(SyncResult.Item(type: type, content: entry.content)) }
    }
    return items
  }

  // MARK: Devices

  private func addToDevice(_ now: StreamToken, to result: inout SyncResult) async throws {
    guard let device = request.requester.deviceID else { return }
    let found = try await stores.toDevice.messages(
      for: user, device: device, after: since?.toDevice ?? 0, upTo: now.toDevice)
    result.toDevice = found.messages
    result.nextBatch.toDevice = found.upTo
  }

  private func addKeyCounts(to result: inout SyncResult) async throws {
    guard let device = request.requester.deviceID else { return }
    let counts = try await stores.deviceLists.keyCounts(of: user, device: device)
    result.oneTimeKeyCounts = counts.oneTimeKeys
    result.unusedFallbackKeys = counts.unusedFallbackKeys
  }
}
