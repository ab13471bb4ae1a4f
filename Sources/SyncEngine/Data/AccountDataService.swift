import MatrixPrimitives
import Replication
import Stores

/// The account data and tags, and their changes on any process: a writer of the stream makes them, other processes ask
/// one.
public final class AccountDataService: Sendable {
  private static let longestTag = 255

  private let store: AccountDataStore
  private let memberships: MembershipStore
  private let barrier: ReadBarrier
  private let pushRules: PushRuleService
  private let router: CallRouter
  /// Whether account data can be deleted (`experimental_features: msc3391_enabled`): then empty content is as good as none.
  public let allowsDeletion: Bool

  init(
    stores: UserStores, memberships: MembershipStore, pushRules: PushRuleService, router: CallRouter, canDelete: Bool
  ) {
    store = stores.accountData
    allowsDeletion = canDelete
    self.memberships = memberships
    barrier = stores.barrier
    self.pushRules = pushRules
    self.router = router
  }

  // MARK: Reading

  /// Reads a piece of global account data; the push rules look like one.
  ///
  /// - Returns: the content, as JSON.
  /// - Throws: `MatrixError` 404 when there is none.
  public func content(_ type: Text, of user: UserID) async throws -> [UInt8] {
    if type == Self.pushRulesType {
      try await pushRules.catchUp(user)
      return try await pushRules.rulesJSON(of: user)
    }
    try await barrier.pass(accountDataOf: user)
    guard let entry = try await store.data(of: user).global[type], !isDeleted(entry) else {
      throw MatrixError.notFound("Account data not found")
    }
    return entry.content
  }

  /// Reads a piece of account data of a room.
  ///
  /// - Returns: the content, as JSON; an empty object for the push rules, which no room has (as on Synapse).
  /// - Throws: `MatrixError` 404 when there is none.
  public func content(_ type: Text, of user: UserID, in room: RoomID) async throws -> [UInt8] {
    if type == Self.pushRulesType { return Array("{}".utf8) }
    try await barrier.pass(accountDataOf: user)
    guard let entry = try await store.data(of: user).rooms[room]?[type], !isDeleted(entry) else {
      throw MatrixError.notFound("Room account data not found")
    }
    return entry.content
  }

  /// Returns whether a piece of account data counts as deleted.
  func isDeleted(_ entry: UserAccountData.Entry) -> Bool { allowsDeletion && entry.isEmpty }

  /// Reads a user's tags of a room.
  ///
  /// - Returns: tag → content, as JSON.
  public func tags(of user: UserID, in room: RoomID) async throws -> [Text: [UInt8]] {
    try await barrier.pass(accountDataOf: user)
    return try await store.data(of: user).tags[room]?.tags ?? [:]
  }

  // MARK: Changing

  private static let pushRulesType = "m.push_rules"

  /// Refuses the types that other endpoints change.
  private static func checkSettable(_ type: Text) throws(MatrixError) {
    switch type {
    case Receipt.Kind.fullyRead:
      throw MatrixError(
        .badJSON, "Cannot set m.fully_read through this API. Use /rooms/!roomId:server.name/read_markers",
        status: 405)
    case pushRulesType:
      throw MatrixError(
        .badJSON, "Cannot set m.push_rules through this API. Use /pushrules",
        status: 405)
    default: break
    }
  }

  /// Sets a piece of global account data.
  ///
  /// - Returns: a position of the stream at which the change can be read.
  /// - Throws: `MatrixError` 400 `M_INVALID_PARAM` when users would ignore themselves, 405 for types that other endpoints change.
  @discardableResult
  public func set(_ user: UserID, type: Text, content: JSONValue) async throws -> Int64 {
    try Self.checkSettable(type)
    if allowsDeletion, content.members?.isEmpty == true {
      return try await carryOut(RemoveUserAccountData(userID: user, type: type)).streamID
    }
    return try await carryOut(AddUserAccountData(userID: user, type: type, content: content)).streamID
  }

  /// Deletes a piece of global account data; that it does not exist is no error.
  ///
  /// - Returns: a position of the stream at which the change can be read.
  /// - Throws: `MatrixError` 405 for types that other endpoints change.
  @discardableResult
  public func remove(_ user: UserID, type: Text) async throws -> Int64 {
    try Self.checkSettable(type)
    return try await carryOut(RemoveUserAccountData(userID: user, type: type)).streamID
  }

  /// Deletes a piece of account data of a room; see ``remove(_:type:)``.
  @discardableResult
  public func remove(_ user: UserID, room: RoomID, type: Text) async throws -> Int64 {
    try Self.checkSettable(type)
    return try await carryOut(RemoveRoomAccountData(userID: user, roomID: room, type: type)).streamID
  }

  /// Sets a piece of account data of a room.
  ///
  /// - Returns: a position of the stream at which the change can be read.
  /// - Throws: `MatrixError` 405 for types that other endpoints change.
  @discardableResult
  public func set(_ user: UserID, room: RoomID, type: Text, content: JSONValue) async throws -> Int64 {
    try Self.checkSettable(type)
    if allowsDeletion, content.members?.isEmpty == true {
      return try await carryOut(RemoveRoomAccountData(userID: user, roomID: room, type: type)).streamID
    }
    return try await write(user, room: room, type: type, content: content)
  }

  /// Sets a piece of account data of a room, of whatever type.
  @discardableResult
  func write(_ user: UserID, room: RoomID, type: Text, content: JSONValue) async throws -> Int64 {
    try await carryOut(AddRoomAccountData(userID: user, roomID: room, type: type, content: content)).streamID
  }

  /// Sets a tag of a room.
  ///
  /// - Returns: a position of the stream at which the change can be read.
  /// - Throws: `MatrixError` 400 for a name that is too long, 403 when the user has nothing to do with the room.
  @discardableResult
  public func setTag(_ user: UserID, room: RoomID, tag: Text, content: JSONValue) async throws -> Int64 {
    guard tag.utf8.count <= Self.longestTag else {
      throw MatrixError.invalidParam("tag parameter's length is over \(Self.longestTag) bytes")
    }
    try await barrier.pass(membershipsOf: user)
    guard let membership = try await memberships.room(room, for: user), !membership.isForgotten else {
      throw MatrixError.forbidden("User \(user) has no membership in room \(room)")
    }
    return try await setTagUnchecked(user, room: room, tag: tag, content: content)
  }

  /// Sets a tag of a room that the user need not be in yet.
  @discardableResult
  func setTagUnchecked(_ user: UserID, room: RoomID, tag: Text, content: JSONValue) async throws -> Int64 {
    try await carryOut(AddTag(userID: user, roomID: room, tag: tag, content: content)).streamID
  }

  /// Removes a tag of a room.
  ///
  /// - Returns: a position of the stream at which the change can be read.
  @discardableResult
  public func removeTag(_ user: UserID, room: RoomID, tag: Text) async throws -> Int64 {
    try await carryOut(RemoveTag(userID: user, roomID: room, tag: tag)).streamID
  }

  // MARK: Calls

  /// The calls by which other processes have the writer change account data.
  var calls: [ServedCall] {
    [
      ServedCall(AddUserAccountData.self) { try await self.carryOut($0) },
      ServedCall(AddRoomAccountData.self) { try await self.carryOut($0) },
      ServedCall(AddTag.self) { try await self.carryOut($0) },
      ServedCall(RemoveTag.self) { try await self.carryOut($0) },
      ServedCall(RemoveUserAccountData.self) { try await self.carryOut($0) },
      ServedCall(RemoveRoomAccountData.self) { try await self.carryOut($0) },
    ]
  }

  private func carryOut(_ call: AddUserAccountData) async throws -> StreamIDAnswer {
    try await router.perform(call) { call in
      StreamIDAnswer(
        try await store.setGlobal(call.userID, type: call.type, content: call.content))
    }
  }

  private func carryOut(_ call: AddRoomAccountData) async throws -> StreamIDAnswer {
    try await router.perform(call) { call in
      StreamIDAnswer(
        try await store.setRoom(call.userID, room: call.roomID, type: call.type, content: call.content))
    }
  }

  private func carryOut(_ call: AddTag) async throws -> StreamIDAnswer {
    try await router.perform(call) { call in
      StreamIDAnswer(
        try await store.setTag(call.userID, room: call.roomID, tag: call.tag, content: call.content))
    }
  }

  private func carryOut(_ call: RemoveTag) async throws -> StreamIDAnswer {
    try await router.perform(call) { call in
      StreamIDAnswer(try await store.removeTag(call.userID, room: call.roomID, tag: call.tag))
    }
  }

  private func carryOut(_ call: RemoveUserAccountData) async throws -> StreamIDAnswer {
    try await router.perform(call) { call in
      StreamIDAnswer(try await store.removeGlobal(call.userID, type: call.type) ?? store.position)
    }
  }

  private func carryOut(_ call: RemoveRoomAccountData) async throws -> StreamIDAnswer {
    try await router.perform(call) { call in
      StreamIDAnswer(
        try await store.removeRoom(call.userID, room: call.roomID, type: call.type) ?? store.position)
    }
  }
}
