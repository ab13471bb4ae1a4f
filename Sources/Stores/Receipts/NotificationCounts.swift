import ByteText

/// The part of a room, or of one thread, that a user has not read.
public struct NotificationCounts: Sendable, Hashable {
  /// The number of unread events that notified the user.
  public var notifications = 0
  /// The number of these that are highlights.
  public var highlights = 0
  /// The number of unread events for MSC2654.
  public var unread = 0

  /// Makes counts of zero.
  public init() {}

  /// Adds other counts to these.
  public mutating func add(_ other: NotificationCounts) {
    notifications += other.notifications
    highlights += other.highlights
    unread += other.unread
  }
}

/// The part of a room that a user has not read, thread by thread.
public struct RoomNotificationCounts: Sendable, Hashable {
  /// The counts of what is in no thread.
  public var main = NotificationCounts()
  /// The counts of threads, by the id of the root event.
  public var threads: [Text: NotificationCounts] = [:]

  /// Makes counts of zero.
  public init() {}

  /// The counts of the room and all its threads together.
  public var total: NotificationCounts {
    var sum = main
    for thread in threads.values { sum.add(thread) }
    return sum
  }
}
