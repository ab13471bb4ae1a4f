import MatrixPrimitives
import Replication

/// One stored receipt: how far a user has read a room, or one thread of it.
public struct Receipt: Sendable, Hashable {
  /// The receipt types of the specification.
  public enum Kind {
    /// The public read receipt.
    public static let read = "m.read"
    /// The read receipt that only its own user sees.
    public static let readPrivate = "m.read.private"
    /// The read marker, which is stored as account data of the room.
    public static let fullyRead = "m.fully_read"
  }

  /// The room.
  public let room: RoomID
  /// The receipt type, such as `m.read`.
  public let type: Text
  /// The user who has read.
  public let user: UserID
  /// The newest event that was read.
  public let eventID: Text
  /// The thread: `main`, the id of a thread's root event, or nil for a receipt that covers all threads.
  public let threadID: Text?
  /// The receipt's JSON object, usually `{"ts":…}`.
  public let data: [UInt8]

  /// Makes a receipt.
  public init(room: RoomID, type: Text, user: UserID, eventID: Text, threadID: Text?, data: [UInt8]) {
    self.room = room
    self.type = type
    self.user = user
    self.eventID = eventID
    self.threadID = threadID
    self.data = data
  }
}

extension Receipt {
  /// The receipt as a row of the `receipts` stream.
  var row: ReceiptRow {
    get throws {
      ReceiptRow(
        roomID: room, receiptType: type, userID: user, eventID: EventID(unchecked: eventID), threadID: threadID,
        data: try JSON.parse(data))
    }
  }

  /// Reads a row of the `receipts` stream.
  init(row: ReceiptRow) {
    self.init(
      room: row.roomID, type: row.receiptType, user: row.userID, eventID: row.eventID.rawValue, threadID: row.threadID,
      data: row.data.encoded)
  }
}
