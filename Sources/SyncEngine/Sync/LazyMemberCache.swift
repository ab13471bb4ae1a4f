import Collections
import MatrixPrimitives
import Stores

/// The member events that one device was sent last, so that lazy loading does not send them again.
///
/// An entry counts only for responses at or before the `since` of the next request: a response that never arrived is thereby
/// forgotten. At most ``capacity`` members are remembered.
struct LazyMemberCache: Sendable {
  private struct Member: Hashable, Sendable {
    let room: RoomID
    let user: Text
  }

  private struct Sent: Sendable {
    let eventID: Text
    let at: MultiWriterToken
  }

  /// The number of members that are remembered for a device.
  static let capacity = 256

  private var sent: OrderedDictionary<Member, Sent> = [:]

  /// Forgets what the device did not receive; to be called at the start of each of its requests.
  ///
  /// - Parameter since: the token the device comes with; nil for an initial sync, which forgets everything.
  mutating func start(since: MultiWriterToken?) {
    guard let since else { return sent.removeAll() }
    guard sent.values.contains(where: { !$0.at.isBeforeOrEqual(since) }) else { return }
    sent.removeAll { !$0.value.at.isBeforeOrEqual(since) }
  }

  /// Returns whether the member event was the last one sent for this user of the room.
  func wasSent(_ room: RoomID, _ user: Text, _ eventID: Text) -> Bool {
    sent[Member(room: room, user: user)]?.eventID == eventID
  }

  /// Remembers that a member event goes out with a response that ends at `position`.
  mutating func markSent(_ room: RoomID, _ user: Text, _ eventID: Text, at position: MultiWriterToken) {
    let member = Member(room: room, user: user)
    sent.removeValue(forKey: member)
    sent[member] = Sent(eventID: eventID, at: position)
    if sent.count > Self.capacity { sent.removeFirst() }
  }
}
