import MatrixPrimitives
import Replication
import Stores

/// Changes account data and tags on any process: a writer of the stream does it, other processes ask one.
public final class AccountDataService: Sendable {
  private let store: AccountDataStore
  private let replication: ReplicationClient?
  private let writers: [Text]
  private let isWriter: Bool

  init(store: AccountDataStore, replication: ReplicationClient?, writers: [Text], instanceName: Text) {
    self.store = store
    self.replication = replication
    self.writers = writers
    isWriter = writers.contains(instanceName)
  }

  /// Sets a piece of global account data.
  ///
  /// - Returns: a position of the stream at which the change can be read.
  /// - Throws: 400 `M_INVALID_PARAM` when users would ignore themselves.
  @discardableResult
  public func set(_ user: UserID, type: Text, content: JSONValue) async throws -> Int64 {
    if isWriter { return try await store.setGlobal(user, type: type, content: content) }
    return try await ask("add_user_account_data", [user.rawValue, type], content)
  }

  /// Sets a piece of account data of a room.
  ///
  /// - Returns: a position of the stream at which the change can be read.
  @discardableResult
  public func set(_ user: UserID, room: RoomID, type: Text, content: JSONValue) async throws -> Int64 {
    if isWriter { return try await store.setRoom(user, room: room, type: type, content: content) }
    return try await ask("add_room_account_data", [user.rawValue, room.rawValue, type], content)
  }

  /// Sets a tag of a room.
  ///
  /// - Returns: a position of the stream at which the change can be read.
  @discardableResult
  public func setTag(_ user: UserID, room: RoomID, tag: Text, content: JSONValue) async throws -> Int64 {
    if isWriter { return try await store.setTag(user, room: room, tag: tag, content: content) }
    return try await ask("add_tag", [user.rawValue, room.rawValue, tag], content)
  }

  /// Removes a tag of a room.
  ///
  /// - Returns: a position of the stream at which the change can be read.
  @discardableResult
  public func removeTag(_ user: UserID, room: RoomID, tag: Text) async throws -> Int64 {
    if isWriter { return try await store.removeTag(user, room: room, tag: tag) }
    return try await ask("remove_tag", [user.rawValue, room.rawValue, tag], nil)
  }

  private func ask(_ endpoint: Text, _ arguments: [Text], _ content: JSONValue?) async throws -> Int64 {
    guard let replication, let writer = writers.randomElement() else {
      throw MatrixError.unknown("No process writes account data", status: 500)
    }
    let answer = try await replication.call(endpoint, arguments: arguments, instance: writer, cached: false) { body in
      if let content { body.member("content", content) }
    }
    return try answer.requireInteger("max_stream_id")
  }
}
