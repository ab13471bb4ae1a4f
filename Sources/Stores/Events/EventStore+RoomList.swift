import MatrixEvents
import MatrixPrimitives

/// What a state event contributes to the decision whether a room is listed.
enum RoomListText: Sendable {
  /// A value that is compared as it is, such as a join rule.
  case exact(Text)
  /// A text in which people search, such as a name.
  case searched(SearchText)

  /// The value that is compared as it is; nil where there is none.
  var exact: Text? { if case .exact(let text) = self { text } else { nil } }

  /// The text in which people search.
  var searched: SearchText? { if case .searched(let text) = self { text } else { nil } }

  /// What it takes in memory, in bytes.
  var weight: Int {
    switch self {
    case .exact(let text): text.utf8.count
    case .searched(let text): text.bytes.count
    }
  }
}

extension EventStore {
  /// The number of bytes of a text that are looked at.
  private static let longestListed = 4_096
  /// The number of events that are read at a time, so that large ones do not fill the memory.
  private static let listedAtOnce = 200

  /// Reads the texts by which lists of rooms are filtered; events without one are absent or have an empty one.
  ///
  /// The JSON is parsed here and not by the database, where a single text with U+0000 would fail the statement for all rooms.
  func listedTexts(_ ids: [EventID]) async throws -> [EventID: RoomListText] {
    try await listed.values(ids) { [self] missing in
      var texts: [EventID: RoomListText] = Dictionary(minimumCapacity: missing.count)
      for start in stride(from: 0, to: missing.count, by: Self.listedAtOnce) {
        let some = Array(missing[start..<min(start + Self.listedAtOnce, missing.count)])
        let events = try await load(some)
        for id in some { texts[id] = Self.listedText(of: events[id]) }
      }
      return texts
    }
  }

  private static func listedText(of stored: StoredEvent?) -> RoomListText {
    guard let stored else { return .exact("") }
    func text(_ key: Text) -> Text {
      guard let text = stored.content[key]?.string else { return "" }
      return text.utf8.count <= longestListed ? text : Text(decoding: text.utf8.prefix(longestListed), as: UTF8.self)
    }
    switch stored.event.type {
    case EventType.name: return .searched(SearchText(text("name")))
    case EventType.topic: return .searched(SearchText(text("topic")))
    case EventType.canonicalAlias: return .searched(SearchText(text("alias")))
    case EventType.create: return .exact(text("type"))
    case EventType.joinRules: return .exact(text("join_rule"))
    case EventType.historyVisibility: return .exact(text("history_visibility"))
    default: return .exact("")
    }
  }
}
