import ByteText

/// Holds how much of a room, or of one thread, a user has not read.
public struct NotificationCounts: Sendable, Hashable {
  /// Holds how many unread events notified the user.
  public var notifications = 0
  /// Holds how many of these are highlights.
  public var highlights = 0
  /// Holds how many unread events there are for MSC2654.
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

/// Holds how much of a room a user has not read, thread by thread.
public struct RoomNotificationCounts: Sendable, Hashable {
  /// Holds the counts of what is in no thread.
  public var main = NotificationCounts()
  /// Holds the counts of threads, by the id of the root event.
  public var threads: [Text: NotificationCounts] = [:]

  /// Makes counts of zero.
  public init() {}

  /// Returns the counts of the room and all its threads together.
  public var total: NotificationCounts {
    var sum = main
    for thread in threads.values { sum.add(thread) }
    return sum
  }
}
