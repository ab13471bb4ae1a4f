import MatrixPrimitives
import RoomServices
import Stores

/// The acceptance of clients' receipts and read markers.
public final class ReceiptService: Sendable {
  private let stores: UserStores
  private let events: EventStore
  private let relations: RelationStore
  private let rooms: RoomServices
  private let accountData: AccountDataService
  private let clock: ServerClock

  /// The receipt types that clients may send, the read marker among them.
  public static let types = [Receipt.Kind.read, Receipt.Kind.readPrivate, Receipt.Kind.fullyRead]

  init(
    stores: UserStores, events: EventStore, relations: RelationStore, rooms: RoomServices,
    accountData: AccountDataService, clock: ServerClock
  ) {
    self.stores = stores
    self.events = events
    self.relations = relations
    self.rooms = rooms
    self.accountData = accountData
    self.clock = clock
  }

  /// Refuses types of receipts that there are not.
  ///
  /// - Throws: `MatrixError` 400.
  public static func check(type: Text) throws(MatrixError) {
    guard types.contains(type) else {
      throw .unknown("Receipt type must be \(types.joined(separator: ", "))", status: 400)
    }
  }

  /// Reads which thread a receipt is for.
  ///
  /// - Returns: nil for a receipt that covers all threads.
  /// - Throws: `MatrixError` 400 `M_INVALID_PARAM` when the name is none, or the receipt is a read marker.
  public static func threadID(in body: JSONValue, type: Text) throws(MatrixError) -> Text? {
    guard let thread = body["thread_id"] else { return nil }
    guard let text = thread.string, !text.isEmpty else {
      throw .invalidParam("thread_id field must be a non-empty string")
    }
    guard type != Receipt.Kind.fullyRead else {
      throw .invalidParam("thread_id is not compatible with m.fully_read receipts.")
    }
    return text
  }

  /// Stores how far a user has read; an older receipt than the one stored changes nothing.
  ///
  /// - Parameters:
  ///   - type: one of ``types``; `m.fully_read` moves the read marker.
  ///   - threadID: the thread, `main`, or nil for a receipt that covers all threads.
  ///   - event: what was read; one that is not known here is kept all the same, since it may yet come (observed).
  /// - Throws: 403 for somebody who is not in the room, 404 when the event is not for this user to see; 400 `M_INVALID_PARAM`
  ///   when it is not in the thread.
  public func receive(
    _ requester: Requester, room: RoomID, type: Text, event: EventID, threadID: Text?
  ) async throws {
    if type == Receipt.Kind.fullyRead { return try await receiveMarker(requester, room: room, event: event) }
    if try await events.position(of: event) != nil {
      _ = try await rooms.history.event(event, room: room, requester: requester)
    } else if try await !rooms.history.access.isMember(requester.userID, of: room) {
      throw MatrixError.forbidden("User \(requester.userID) not in room \(room)")
    }
    if let threadID {
      guard try await relations.thread(of: event)?.rawValue ?? "main" == threadID else {
        throw MatrixError.invalidParam("event_id \(event) is not related to thread \(threadID)")
      }
    }
    let receipt = Receipt(
      room: room, type: type, user: requester.userID, eventID: event.rawValue, threadID: threadID,
      data: JSON.object(["ts": .integer(clock.nowMilliseconds)]).encoded)
    _ = try await stores.receipts.insert(receipt)
  }

  /// Moves a user's read marker forward; one that is further on stays.
  ///
  /// - Throws: 404 when the event is not known in the room.
  public func receiveMarker(_ requester: Requester, room: RoomID, event: EventID) async throws {
    guard let new = try await events.position(of: event), new.roomID == room else {
      throw MatrixError.notFound("Could not find event \(event) in room \(room)")
    }
    let stored = try await stores.accountData.data(of: requester.userID).rooms[room]?[Receipt.Kind.fullyRead]
    if let content = stored?.content, let old = try JSONValue.parse(content)["event_id"]?.string,
      let position = try await events.position(of: EventID(unchecked: old)),
      (position.depth, position.streamOrdering) >= (new.depth, new.streamOrdering)
    {
      return
    }
    let content = try JSON.object(["event_id": .string(event.rawValue)]).document()
    try await accountData.write(requester.userID, room: room, type: Receipt.Kind.fullyRead, content: content)
  }
}
