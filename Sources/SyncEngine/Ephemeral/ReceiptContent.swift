import MatrixPrimitives
import Stores

/// The receipts of a room as the content of one `m.receipt` event.
enum ReceiptContent {
  /// Returns the whole event (`type` and `content`), or nil when nothing is left for this reader.
  ///
  /// Private receipts of others are left out. Where a user has receipts with and without a thread for one event, the one without
  /// counts (MSC4102).
  /// - Parameter room: the room to name, as in the endpoints that were before `/sync`; nil to name none.
  static func event(_ receipts: [Receipt], for reader: UserID, in room: RoomID? = nil) -> [UInt8]? {
    struct Reading: Hashable {
      let user: UserID
      let event: Text
    }
    let visible = receipts.filter { $0.type != Receipt.Kind.readPrivate || $0.user == reader }
    guard !visible.isEmpty else { return nil }
    let unthreaded = Set(visible.filter { $0.threadID == nil }.map { Reading(user: $0.user, event: $0.eventID) })
    var byEvent: [Text: [Text: [UserID: Receipt]]] = [:]
    for receipt in visible {
      if receipt.threadID != nil, unthreaded.contains(Reading(user: receipt.user, event: receipt.eventID)) { continue }
      byEvent[receipt.eventID, default: [:]][receipt.type, default: [:]][receipt.user] = receipt
    }
    var writer = JSONWriter(capacity: 128 + visible.count * 96)
    writer.beginObject()
    writer.member("type", "m.receipt")
    writer.memberIfPresent("room_id", room)
    writer.key("content" as StaticString)
    writer.beginObject()
    for (event, byType) in byEvent {
      writer.key(event)
      writer.beginObject()
      for (type, byUser) in byType {
        writer.key(type)
        writer.beginObject()
        for (user, receipt) in byUser { write(receipt, of: user, to: &writer) }
        writer.endObject()
      }
      writer.endObject()
    }
    writer.endObject()
    writer.endObject()
    return writer.bytes
  }

  private static func write(_ receipt: Receipt, of user: UserID, to writer: inout JSONWriter) {
    writer.key(user.rawValue)
    guard let thread = receipt.threadID else { return writer.raw(receipt.data) }
    guard let members = try? JSONValue.parse(receipt.data).members else {
      // Data of another shape was stored by a faulty server; the thread alone is worth something.
      writer.beginObject()
      writer.member("thread_id", thread)
      return writer.endObject()
    }
    writer.beginObject()
    for (key, value) in members where key != "thread_id" { writer.member(key, value) }
    writer.member("thread_id", thread)
    writer.endObject()
  }
}
