import MatrixPrimitives

/// All account data, tags and ignored users of one user, as stored, with the stream id of each change: initial and
/// incremental sync read the same snapshot.
public struct UserAccountData: Sendable {
  /// A piece of account data with the stream id of its last change.
  public struct Entry: Sendable {
    /// The position of the last change in the account data stream.
    public let streamID: Int64
    /// The JSON object as stored.
    public let content: [UInt8]

    /// Whether the content is an empty object, as the one of data that was deleted (MSC3391).
    public var isEmpty: Bool { content.elementsEqual("{}".utf8) }

    /// Makes an entry.
    public init(streamID: Int64, content: [UInt8]) {
      self.streamID = streamID
      self.content = content
    }
  }

  /// The tags of one room.
  public struct RoomTags: Sendable {
    /// The position of the last change of any tag of the room; 0 when it never changed.
    public var streamID: Int64 = 0
    /// The content of each tag, by tag name.
    public var tags: [Text: [UInt8]] = [:]

    /// Makes an empty set of tags.
    public init() {}
  }

  /// The user's global account data by type, without push rules.
  public internal(set) var global: [Text: Entry] = [:]
  /// The user's account data of each room by type, without tags.
  public internal(set) var rooms: [RoomID: [Text: Entry]] = [:]
  /// The user's tags; rooms whose tags were all removed stay, with no tags.
  public internal(set) var tags: [RoomID: RoomTags] = [:]
  /// The users whose events and invitations this user does not want to see.
  public internal(set) var ignoredUsers: Set<UserID> = []

  /// Makes the data of a user who has none.
  public init() {}

  /// Returns the global data that changed after `streamID`.
  public func globalChanges(since streamID: Int64) -> [Text: Entry] {
    global.filter { $0.value.streamID > streamID }
  }

  /// Returns each room's data that changed after `streamID`.
  public func roomChanges(since streamID: Int64) -> [RoomID: [Text: Entry]] {
    var changes: [RoomID: [Text: Entry]] = [:]
    for (room, entries) in rooms {
      let changed = entries.filter { $0.value.streamID > streamID }
      if !changed.isEmpty { changes[room] = changed }
    }
    return changes
  }

  /// Returns the rooms whose tags changed after `streamID`, with all their tags.
  public func tagChanges(since streamID: Int64) -> [RoomID: RoomTags] {
    tags.filter { $0.value.streamID > streamID }
  }

  /// The estimated memory that this takes, in bytes, for cache budgets.
  var weight: Int {
    var sum = 256 + ignoredUsers.count * 64
    for entry in global.values { sum += entry.content.count + 96 }
    for entries in rooms.values { for entry in entries.values { sum += entry.content.count + 128 } }
    for room in tags.values { for tag in room.tags.values { sum += tag.count + 128 } }
    return sum
  }
}
