import MatrixPrimitives

extension EventFilter {
  /// Whether no event passes at all.
  public var blocksAll: Bool { blocksAllTypes || blocksAllSenders || blocksAllRooms }

  /// Whether no type passes.
  public var blocksAllTypes: Bool { types?.isEmpty == true || notTypes.contains("*") }
  /// Whether no sender passes.
  public var blocksAllSenders: Bool { senders?.isEmpty == true || notSenders.contains("*") }
  /// Whether no room passes.
  public var blocksAllRooms: Bool { rooms?.isEmpty == true || notRooms.contains("*") }

  /// Whether every event passes, so that they need not be looked at.
  public var passesAll: Bool {
    types == nil && notTypes.isEmpty && rooms == nil && notRooms.isEmpty && senders == nil && notSenders.isEmpty
      && containsURL == nil && labels == nil && notLabels.isEmpty && !asksForRelations
  }

  /// Whether passing depends on other events that relate to the event, which only the database knows.
  public var asksForRelations: Bool {
    relatedBySenders?.isEmpty == false || relatedByRelationTypes?.isEmpty == false
  }

  /// Returns whether rooms with this id pass.
  public func passes(room: Text) -> Bool {
    !notRooms.contains(room) && (rooms?.contains(room) ?? true)
  }

  /// Returns whether a type passes.
  public func passes(type: Text) -> Bool {
    if notTypes.contains(where: { Self.matches(type, $0) }) { return false }
    return types?.contains { Self.matches(type, $0) } ?? true
  }

  /// Returns whether a sender passes; account data has none.
  public func passes(sender: Text?) -> Bool {
    if let sender, notSenders.contains(sender) { return false }
    guard let senders else { return true }
    return sender.map(senders.contains) ?? false
  }

  /// Returns whether an event passes, relations apart.
  ///
  /// - Parameters:
  ///   - type: the event's type.
  ///   - sender: the sender, when it has one.
  ///   - room: the room, when it is in one.
  ///   - content: the content; read only when the filter asks for it.
  public func passes(type: Text, sender: Text?, room: Text?, content: @autoclosure () -> JSONValue?) -> Bool {
    guard passes(type: type), passes(sender: sender), room.map(passes(room:)) ?? (rooms == nil) else { return false }
    guard containsURL != nil || labels != nil || !notLabels.isEmpty else { return true }
    let content = content()
    if let containsURL, (content?["url"]?.string != nil) != containsURL { return false }
    let own = Set(content?["org.matrix.labels"]?.elements?.compactMap(\.string) ?? [])
    if notLabels.contains(where: own.contains) { return false }
    return labels?.contains(where: own.contains) ?? true
  }

  // MARK: Patterns

  static let star = UInt8(ascii: "*")

  /// Matches a type against a pattern in which `*` stands for any run of characters, byte by byte.
  ///
  /// Clients choose the pattern, and each event is compared with it: nothing is allocated, and of a pattern that does
  /// not fit no more is read than where it fails.
  private static func matches(_ type: Text, _ pattern: Text) -> Bool {
    let (text, pattern) = (type.utf8, pattern.utf8)
    var (place, next) = (text.startIndex, pattern.startIndex)
    // Where to go on when what follows the last wildcard does not fit: that wildcard takes one byte more.
    var retry: (place: String.Index, next: String.Index)?
    while place < text.endIndex {
      if next < pattern.endIndex, pattern[next] == star {
        next = pattern.index(after: next)
        retry = (place, next)
      } else if next < pattern.endIndex, pattern[next] == text[place] {
        (place, next) = (text.index(after: place), pattern.index(after: next))
      } else if let last = retry {
        (place, next) = (text.index(after: last.place), last.next)
        retry = (place, next)
      } else {
        return false
      }
    }
    return pattern[next...].allSatisfy { $0 == star }
  }
}
