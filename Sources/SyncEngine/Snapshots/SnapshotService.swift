import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// The answers of `/initialSync`, for all rooms and for one: what clients asked for before there was `/sync`.
///
/// Events are shown without what relates to them, as on Synapse.
public final class SnapshotService: Sendable {
  /// What a client asks for.
  public struct Query: Sendable {
    /// The user and the device.
    public let requester: Requester
    /// The greatest number of events of a room.
    public let limit: Int
    /// Whether rooms are wanted that the user has left.
    public let includesLeft: Bool
    /// Whether events are wanted as servers exchange them.
    public let isRaw: Bool

    /// Makes a query; the limit is capped at 1000.
    public init(requester: Requester, limit: Int, includesLeft: Bool = false, isRaw: Bool = false) {
      self.requester = requester
      self.limit = min(max(limit, 0), HistoryService.greatestLimit)
      self.includesLeft = includesLeft
      self.isRaw = isRaw
    }
  }

  /// The beginning of an answer for all rooms: what does not grow with their content.
  public struct Overview: Sendable {
    /// The rooms in groups that are read and written together.
    public let groups: [[RoomForUser]]
    let query: Query
    let upTo: StreamToken
    let data: UserAccountData
  }

  let stores: SyncStores
  let readers: SyncReaders
  let rooms: RoomServices
  let settings: SyncSettings
  let clock: ServerClock
  let accountData: AccountDataService
  private let blockedRooms: RoomStore

  /// The greatest number of events and of rooms that are read together.
  private static let eventsOfGroup = 2_000, roomsOfGroup = 50

  init(
    sync: SyncService, accountData: AccountDataService, blockedRooms: RoomStore
  ) {
    stores = sync.stores
    readers = sync.readers
    rooms = sync.rooms
    settings = sync.settings
    clock = sync.clock
    self.accountData = accountData
    self.blockedRooms = blockedRooms
  }

  // MARK: All rooms

  /// Begins the answer for all rooms.
  public func overview(_ query: Query) async throws -> Overview {
    let user = query.requester.userID
    let (all, now) = try await readers.memberships.current(of: user)
    let wanted = all.filter { room in
      guard room.roomVersion != nil, !room.isForgotten else { return false }
      return room.membership == .join || room.membership == .invite || query.includesLeft && room.membership == .leave
    }
    let size = min(max(Self.eventsOfGroup / max(query.limit, 1), 1), Self.roomsOfGroup)
    let groups = stride(from: 0, to: wanted.count, by: size).map { Array(wanted[$0..<min($0 + size, wanted.count)]) }
    return Overview(groups: groups, query: query, upTo: now, data: try await stores.accountData.data(of: user))
  }

  /// Writes a group of rooms, each as one JSON object.
  public func rooms(_ group: [RoomForUser], of overview: Overview) async throws -> [[UInt8]] {
    let user = overview.query.requester.userID
    let left = group.filter { $0.membership == .leave }.map(\.roomID)
    let departures = try await readers.memberships.departures(of: user, from: left)
    let shown = group.compactMap { Stay($0, departure: departures[$0.roomID], now: overview.upTo.room) }
    let parts = try await parts(shown, overview.query, upTo: overview.upTo)
    let published = try await stores.sync.published(among: group.map(\.roomID))
    let invites = try await stores.events.events(group.filter { $0.membership == .invite }.map(\.eventID))
    let options = options(overview.query, requester: nil)
    return group.map { room in
      var writer = JSONWriter(capacity: 4096)
      writer.object { object in
        object.member("room_id", room.roomID)
        object.member("membership", room.membership.rawValue)
        object.member("visibility", published.contains(room.roomID) ? "public" : "private")
        if room.membership == .invite { object.member("inviter", room.sender) }
        if let invite = invites[room.eventID] {
          object.key("invite")
          rooms.serializer.write(ClientEvent(invite), options, to: &object)
        }
        if let part = parts[room.roomID] {
          write(part, options, to: &object)
          object.array("account_data") { write(overview.data, of: room.roomID, to: &$0) }
        }
      }
      return writer.bytes
    }
  }

  /// Writes what follows the rooms: the remaining members of the answer, without the brace before them.
  public func remainder(_ overview: Overview) async throws -> [UInt8] {
    let user = overview.query.requester.userID
    let joined = Set(overview.groups.joined().filter { $0.membership == .join }.map(\.roomID))
    let receipts = try await readers.ephemeral.receipts(in: joined, after: nil, upTo: overview.upTo.receipt)
    let neighbours = try await readers.memberships.usersSharingRooms(
      with: user, outside: settings.roomsWithoutPresence
    ).union([user])
    let presence = try await presence(of: neighbours).filter { $0.state != .offline }
    let (end, now) = (try await text(overview.upTo), clock.nowMilliseconds)
    var writer = JSONWriter(capacity: 4096)
    writer.object { object in
      object.array("presence") { for state in presence { SnapshotEvents.write(state, now: now, to: &$0) } }
      object.array("account_data") { SnapshotEvents.write(present(overview.data.global), to: &$0) }
      object.array("receipts") { array in
        for (room, receipts) in receipts {
          if let event = ReceiptContent.event(receipts, for: user, in: room) { array.raw(event) }
        }
      }
      object.member("end", end)
    }
    return Array(writer.bytes.dropFirst())
  }

  // MARK: One room

  /// Writes the answer for one room: as it is now, or as it was when the user left.
  ///
  /// - Throws: `MatrixError` 403 when the room is blocked, or the user may not look into it.
  public func room(_ room: RoomID, _ query: Query) async throws -> [UInt8] {
    let user = query.requester.userID
    guard try await !blockedRooms.isBlocked(room) else {
      throw MatrixError.forbidden("This room has been blocked on this server")
    }
    let right = try await rooms.history.access.right(of: user, in: room)
    let (all, now) = try await readers.memberships.current(of: user)
    let known = all.first { $0.roomID == room }
    let stay = Stay(room, right, joinedAt: known?.streamOrdering, now: now.room)
    guard let part = try await parts([stay], query, upTo: right.isDeparted ? StreamToken() : now)[room] else {
      throw MatrixError.notFound()
    }
    let receipts =
      right.isDeparted ? [:] : try await readers.ephemeral.receipts(in: [room], after: nil, upTo: now.receipt)
    let members = right.isDeparted ? [] : try await readers.memberships.joinedUsers(in: [room])
    let presence = try await presence(of: members, includesUnknown: true)
    let (data, time) = (try await stores.accountData.data(of: user), clock.nowMilliseconds)
    var writer = JSONWriter(capacity: 8192)
    writer.object { object in
      object.member("room_id", room)
      if right != .peeking { object.member("membership", right.isDeparted ? "leave" : "join") }
      write(part, options(query, requester: query.requester), to: &object)
      object.array("presence") { for state in presence { SnapshotEvents.write(state, now: time, to: &$0) } }
      object.array("receipts") { array in
        if let event = receipts[room].flatMap({ ReceiptContent.event($0, for: user, in: room) }) { array.raw(event) }
      }
      object.array("account_data") { write(data, of: room, to: &$0) }
    }
    return writer.bytes
  }

  // MARK: Parts

  private func present(_ entries: [Text: UserAccountData.Entry]) -> [Text: UserAccountData.Entry] {
    entries.filter { !accountData.isDeleted($0.value) }
  }

  private func write(_ data: UserAccountData, of room: RoomID, to writer: inout JSONWriter) {
    if let tags = data.tags[room], !tags.tags.isEmpty { SnapshotEvents.write(tags, to: &writer) }
    SnapshotEvents.write(present(data.rooms[room] ?? [:]), to: &writer)
  }

  private func presence(of users: Set<UserID>, includesUnknown: Bool = false) async throws -> [PresenceState] {
    guard settings.isPresenceEnabled, !users.isEmpty else { return [] }
    let states = try await stores.presence.states(of: Array(users))
    return users.compactMap { states[$0] ?? (includesUnknown ? PresenceState(user: $0) : nil) }
  }

  func options(_ query: Query, requester: Requester?) -> ClientEventOptions {
    ClientEventOptions(query.isRaw ? .federation : .legacy, requester: requester, now: clock.nowMilliseconds)
  }

  func text(_ token: StreamToken) async throws -> Text { try await token.text(directory: stores.instances) }
}

extension RoomAccess.Right {
  /// Whether the room is seen as it was when the user left.
  var isDeparted: Bool { if case .departed = self { true } else { false } }
}
