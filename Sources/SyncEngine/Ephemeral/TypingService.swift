import Logging
import MatrixPrimitives
import Replication
import RoomServices
import Stores
import Synchronization

/// The users who are typing in each room. The writer of the `typing` stream decides it, the other processes follow the
/// stream's rows.
///
/// All of it lives in memory; the stream's positions are a counter that starts at 0 with its writer. A follower that receives a
/// smaller position than before therefore forgets everything.
public final class TypingService: Sendable {
  private struct Member: Hashable, Sendable {
    let room: RoomID
    let user: UserID
  }

  private struct Room: Sendable {
    var users: [UserID]
    var serial: Int64
  }

  private struct State: Sendable {
    var rooms: [RoomID: Room] = [:]
    var serial: Int64 = 0
    var until: [Member: Int64] = [:]
    var updatedSincePrune: Set<RoomID> = []
  }

  /// The longest time a client may announce, in milliseconds (as Synapse).
  public static let longestTimeout: Int64 = 120_000
  /// The time that counts when a client names none, in milliseconds (as Synapse).
  public static let defaultTimeout: Int64 = 30_000

  private let state = Mutex(State())
  private let publishing = Mutex<Void>(())
  private let hub: StreamHub
  private let clock: ServerClock
  private let access: RoomAccess

  /// Whether this process decides who types.
  private let isWriter: Bool

  init(hub: StreamHub, access: RoomAccess, isWriter: Bool, clock: ServerClock) {
    self.hub = hub
    self.access = access
    self.isWriter = isWriter
    self.clock = clock
  }

  /// The position in the typing stream.
  public var currentToken: Int64 { state.withLock(\.serial) }

  // MARK: Reading

  /// Returns who types in the rooms in which that changed after a position; a room where typing has ended has an empty list.
  public func changes(in rooms: Set<RoomID>, since token: Int64) -> [RoomID: [UserID]] {
    state.withLock { state in
      guard state.serial != token else { return [:] }
      var changes: [RoomID: [UserID]] = [:]
      for (room, typing) in state.rooms where typing.serial > token && rooms.contains(room) {
        changes[room] = typing.users
      }
      return changes
    }
  }

  // MARK: Writing

  /// Takes note of what a user says: that they type, or stopped. The actions of shadow-banned users reach nobody.
  ///
  /// - Parameter timeout: for how long, in milliseconds; nil for ``defaultTimeout``.
  /// - Throws: `MatrixError` 403 for somebody who is not in the room.
  public func announce(_ requester: Requester, in room: RoomID, isTyping: Bool, timeout: Int64?) async throws {
    guard !requester.isShadowBanned else { return }
    try await access.requireMember(requester.userID, in: room)
    setTyping(requester.userID, in: room, isTyping: isTyping, timeout: timeout ?? Self.defaultTimeout)
  }

  /// Takes note that a local user types, or stopped. The caller has checked that the user may send to the room.
  ///
  /// - Parameters:
  ///   - isTyping: false ends the user's typing at once.
  ///   - timeout: for how long, in milliseconds; cut to ``longestTimeout``.
  public func setTyping(_ user: UserID, in room: RoomID, isTyping: Bool, timeout: Int64) {
    let member = Member(room: room, user: user)
    let until = clock.monotonicMilliseconds + min(max(0, timeout), Self.longestTimeout)
    let isChange = state.withLock { state in
      let wasTyping = state.rooms[room]?.users.contains(user) ?? false
      state.until[member] = isTyping ? until : nil
      return wasTyping != isTyping
    }
    if isChange { publish(member, isTyping: isTyping) }
  }

  /// Ends what is typed by users who left a room.
  public func userLeft(_ user: UserID, _ room: RoomID) {
    guard isWriter else { return }
    setTyping(user, in: room, isTyping: false, timeout: 0)
  }

  /// Ends everything whose time is up.
  func expire() {
    let now = clock.monotonicMilliseconds
    let expired = state.withLock { state in
      let expired = state.until.filter { $0.value <= now }.map(\.key)
      for member in expired { state.until[member] = nil }
      return expired
    }
    for member in expired { publish(member, isTyping: false) }
  }

  /// Drops rooms without typing since the last call; clients remove what they show by themselves.
  func prune() {
    state.withLock { state in
      state.rooms = state.rooms.filter { !$0.value.users.isEmpty || state.updatedSincePrune.contains($0.key) }
      state.updatedSincePrune.removeAll()
    }
  }

  /// Changes a room's list and publishes it. One at a time: the hub must have a token's row before it sees the position.
  private func publish(_ member: Member, isTyping: Bool) {
    publishing.withLock { _ in
      let (token, users) = state.withLock { state -> (Int64, [UserID]) in
        var users = state.rooms[member.room]?.users ?? []
        users.removeAll { $0 == member.user }
        if isTyping { users.append(member.user) }
        let token = state.serial + 1
        state.rooms[member.room] = Room(users: users, serial: token)
        state.updatedSincePrune.insert(member.room)
        return (token, users)
      }
      hub.publish(.typing, token: token, rows: [.typing(TypingRow(roomID: member.room, userIDs: users))])
      state.withLock { $0.serial = token }
    }
    hub.wake(.typing)
  }

  // MARK: Following

  /// Takes over a row of the writer.
  func apply(_ row: TypingRow, at token: Int64) {
    guard !isWriter else { return }
    state.withLock { state in
      if token < state.serial { state = State() }
      state.serial = token
      state.rooms[row.roomID] = Room(users: row.userIDs, serial: token)
      state.updatedSincePrune.insert(row.roomID)
    }
  }

  func advance(to token: Int64) {
    guard !isWriter else { return }
    state.withLock { state in
      if token < state.serial { state = State() }
      state.serial = token
    }
  }

  /// Returns the rooms whose list changed in a range, for processes that catch up.
  func updates(from: Int64, to: Int64, limit: Int) -> StreamUpdates {
    state.withLock { state in
      let lower = from > to ? 0 : from
      var rows = state.rooms.filter { $0.value.serial > lower && $0.value.serial <= to }
        .map { (token: $0.value.serial, row: StreamRow.typing(TypingRow(roomID: $0.key, userIDs: $0.value.users))) }
      rows.sort { $0.token < $1.token }
      guard rows.count > limit, limit > 0 else { return StreamUpdates(rows: rows, upTo: to, limited: false) }
      rows.removeLast(rows.count - limit)
      return StreamUpdates(rows: rows, upTo: rows.last?.token ?? to, limited: true)
    }
  }
}

/// The source from which the hub gets the positions of the `typing` stream.
final class TypingSource: StreamSource {
  private let typing: TypingService

  init(typing: TypingService) { self.typing = typing }

  var stream: StreamName { .typing }
  func currentToken(of instance: Text) -> Int64 { typing.currentToken }
  func advance(_ instance: Text, to token: Int64) { typing.advance(to: token) }
  func updates(of instance: Text, from: Int64, to: Int64, limit: Int) async throws -> StreamUpdates {
    typing.updates(from: from, to: to, limit: limit)
  }
}
