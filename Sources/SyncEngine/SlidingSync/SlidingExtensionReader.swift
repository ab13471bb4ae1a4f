import MatrixEvents
import MatrixPrimitives
import Stores

/// The reader of what is sent beside rooms.
struct SlidingExtensionReader: Sendable {
  let service: SlidingSyncService
  let request: SlidingSyncRequest
  let connection: SlidingConnection
  let from: StreamToken?
  let now: StreamToken
  let memberships: [RoomForUser]
  let window: SlidingWindow

  private var user: UserID { request.requester.userID }
  private var device: Text? { request.requester.deviceID }
  private var wanted: SlidingSyncBody.Extensions { request.body.extensions }

  /// Reads what the client wants, and notes what it has then.
  ///
  /// - Parameter sent: the rooms of the answer.
  func extensions(
    _ sent: [SlidingRoomNotice], _ changes: inout SlidingConnectionChanges
  ) async throws -> SlidingExtensions {
    var result = SlidingExtensions()
    if let toDevice = wanted.toDevice { result.toDevice = try await messages(toDevice) }
    if wanted.wantsKeys { result.keys = try await keys() }
    if let scope = wanted.accountData {
      result.accountData = try await accountData(window.rooms(in: scope), &changes)
    }
    if let scope = wanted.receipts {
      result.receipts = try await receipts(inside(window.rooms(in: scope)), sent, &changes)
    }
    if let scope = wanted.typing {
      result.typing = service.readers.ephemeral.typing(in: inside(window.rooms(in: scope)), after: from?.typing)
    }
    if let limit = wanted.threadSubscriptions, service.settings.hasThreadSubscriptions {
      let found = try await service.stores.sync.threadSubscriptions(
        of: user, after: from?.threadSubscriptions ?? 0, upTo: now.threadSubscriptions, limit: limit)
      if !found.isEmpty { result.threadSubscriptions = found }
      result.hasOlderSubscriptions = found.count == limit
    }
    return result
  }

  /// Returns those of the rooms in which the user is now: who reads and who types there is nobody else's business, be they invited or put out.
  private func inside(_ rooms: Set<RoomID>) -> Set<RoomID> {
    rooms.filter { window.rooms[$0]?.membership.membership == .join }
  }

  // MARK: Messages for the device

  private func messages(_ wanted: SlidingSyncBody.ToDevice) async throws -> SlidingExtensions.ToDevice {
    let since = wanted.since ?? 0
    guard let device else { return SlidingExtensions.ToDevice(next: now.toDevice) }
    // A position from the future acknowledges nothing.
    guard since <= now.toDevice else { return SlidingExtensions.ToDevice(next: since) }
    if since > 0 { try await service.stores.toDevice.deleteMessages(for: user, device: device, upTo: since) }
    let page = try await service.stores.toDevice.messages(
      for: user, device: device, after: since, upTo: now.toDevice,
      limit: min(wanted.limit, ToDeviceStore.batchLimit))
    return SlidingExtensions.ToDevice(next: page.upTo, messages: page.messages)
  }

  // MARK: Keys

  private func keys() async throws -> SlidingExtensions.Keys {
    var result = SlidingExtensions.Keys()
    if let from {
      result.changes = try await service.readers.deviceLists.changes(
        for: user, after: from.deviceList, upTo: now.deviceList, try await movements(from))
    }
    if let device {
      let counts = try await service.stores.deviceLists.keyCounts(of: user, device: device)
      result.oneTimeKeyCounts = counts.oneTimeKeys
      result.unusedFallbackKeys = counts.unusedFallbackKeys
    }
    return result
  }

  /// Finds who came into and who left the user's rooms, whether the client looks at them or not.
  private func movements(_ from: StreamToken) async throws -> DeviceListReader.Movements {
    var movements = DeviceListReader.Movements()
    let spans = try await service.readers.memberships.changes(
      of: user, in: memberships, after: from.room, upTo: now.room, excluding: service.sync.settings.excludedRooms)
    var joined: Set<RoomID> = []
    for room in memberships where room.membership == .join { joined.insert(room.roomID) }
    for (room, span) in spans {
      if joined.contains(room) {
        if span.wasAway { movements.joinedRooms.insert(room) }
      } else if span.wasJoined || span.hasJoined {
        movements.leftRooms.insert(room)
      }
    }
    try await service.readers.deviceLists.addMembers(
      of: Array(joined.subtracting(movements.joinedRooms)), near: user, after: from.room, upTo: now.room, to: &movements
    )
    return movements
  }

  // MARK: Account data

  private func accountData(
    _ rooms: Set<RoomID>, _ changes: inout SlidingConnectionChanges
  ) async throws -> SlidingExtensions.AccountData {
    var result = SlidingExtensions.AccountData()
    let reader = service.readers.accountData
    for (type, entry) in try await reader.global(of: user, after: from?.accountData) {
      result.global.append(SyncResult.Item(type: type, content: entry.content))
    }
    if let rules = try await reader.pushRules(of: user, after: from?.pushRules) {
      result.global.append(SyncResult.Item(type: "m.push_rules", content: rules))
    }
    let data = try await service.stores.accountData.data(of: user)
    var isComplete: [RoomID] = []
    for room in rooms {
      switch from.flatMap({ _ in connection.accountData[room] }) {
      case .live: result.add(data, of: room, after: from?.accountData)
      case .previously(let token):
        result.add(data, of: room, after: token)
        isComplete.append(room)
      case nil:
        result.add(data, of: room, after: nil)
        isComplete.append(room)
      }
    }
    changes.sent(accountData: isComplete)
    guard let from, service.stores.accountData.changes.hasChanged(user.rawValue, since: from.accountData) else {
      return result
    }
    let changed = Set(data.roomChanges(since: from.accountData).keys)
      .union(data.tagChanges(since: from.accountData).keys)
    changes.withheld(accountData: changed.subtracting(rooms), after: from.accountData)
    return result
  }

  // MARK: Receipts

  private func receipts(
    _ rooms: Set<RoomID>, _ sent: [SlidingRoomNotice], _ changes: inout SlidingConnectionChanges
  ) async throws -> [RoomID: [UInt8]] {
    let anew = Set(sent.lazy.filter(\.isAnew).map(\.id))
    var points: [RoomID: MultiWriterToken] = [:]
    var (initial, isComplete): ([RoomID], [RoomID]) = ([], [])
    for room in rooms {
      switch from.flatMap({ _ in anew.contains(room) ? nil : connection.receipts[room] }) {
      case .live: points[room] = from?.receipt
      case .previously(let token):
        points[room] = token
        isComplete.append(room)
      case nil: initial.append(room)
      }
    }
    var found = try await service.stores.receipts.receipts(after: points, upTo: now.receipt)
    // The receipts of all members could be very many.
    let isInitial = Set(initial)
    let events = sent.lazy.filter { isInitial.contains($0.id) }.flatMap { room in room.events.map { (room.id, $0) } }
    let first = try await service.stores.receipts.receipts(
      of: user, in: initial, at: Array(events), upTo: now.receipt)
    for (room, receipts) in first { found[room] = receipts }
    changes.sent(receipts: isComplete + initial)
    if let from {
      let others = connection.receipts.lazy.filter { $0.value == .live && !rooms.contains($0.key) }.map(\.key)
      let changed = try await service.stores.receipts.roomsWithReceipts(
        among: others, after: from.receipt, upTo: now.receipt)
      changes.withheld(receipts: changed, after: from.receipt)
    }
    return found.compactMapValues { ReceiptContent.event($0, for: user) }
  }
}

extension SlidingExtensions.AccountData {
  /// Adds a user's account data of a room, tags among it.
  ///
  /// - Parameter position: the position after which changes count; nil for everything, and then the room is there even without any.
  fileprivate mutating func add(_ data: UserAccountData, of room: RoomID, after position: Int64?) {
    var items: [SyncResult.Item] = []
    for (type, entry) in data.rooms[room] ?? [:] where position.map({ entry.streamID > $0 }) ?? true {
      items.append(SyncResult.Item(type: type, content: entry.content))
    }
    if let tags = data.tags[room], position.map({ tags.streamID > $0 }) ?? !tags.tags.isEmpty {
      items.append(SyncResult.Item(type: "m.tag", content: tags.content))
    }
    if position == nil || !items.isEmpty { rooms[room] = items }
  }
}

extension UserAccountData.RoomTags {
  /// The content of `m.tag`.
  fileprivate var content: [UInt8] {
    var writer = JSONWriter(capacity: 64)
    writer.object { writer in
      writer.object("tags") { writer in
        for (tag, content) in tags {
          writer.key(tag)
          writer.raw(content)
        }
      }
    }
    return writer.bytes
  }
}
