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

  private static let star = UInt8(ascii: "*")

  /// Matches a type against a pattern in which `*` stands for any run of characters, byte by byte.
  private static func matches(_ type: Text, _ pattern: Text) -> Bool {
    guard let wildcard = pattern.utf8.firstIndex(of: star) else { return type == pattern }
    let prefix = pattern.utf8[..<wildcard]
    let rest = pattern.utf8[pattern.utf8.index(after: wildcard)...]
    guard type.utf8.starts(with: prefix) else { return false }
    return rest.isEmpty
      || ends(
        Array(type.utf8.dropFirst(prefix.count)), with: rest.split(separator: star, omittingEmptySubsequences: false))
  }

  /// Returns whether a text consists of the pieces in their order, the last one at its end, with anything before each.
  private static func ends<Piece: Collection<UInt8>>(_ text: [UInt8], with pieces: [Piece]) -> Bool {
    guard let last = pieces.last, text.count >= last.count, text.suffix(last.count).elementsEqual(last) else {
      return false
    }
    var rest = text.dropLast(last.count)
    for piece in pieces.dropLast() where !piece.isEmpty {
      guard let end = end(of: piece, in: rest) else { return false }
      rest = rest[end...]
    }
    return true
  }

  private static func end(of piece: some Collection<UInt8>, in text: ArraySlice<UInt8>) -> Int? {
    guard piece.count <= text.count else { return nil }
    for start in text.startIndex...(text.endIndex - piece.count) where text[start...].starts(with: piece) {
      return start + piece.count
    }
    return nil
  }
}
