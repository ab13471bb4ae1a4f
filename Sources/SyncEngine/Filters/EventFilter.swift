import MatrixPrimitives

/// Holds one definition of a filter, such as `room.timeline`: which events pass, and how many.
public struct EventFilter: Sendable {
  /// Holds how many events a timeline has at most; never negative.
  public var limit = 10
  /// Tells whether member events are sent only for the senders that the timeline shows.
  public var lazyLoadMembers = false
  /// Tells whether lazily loaded members are sent again although the client has them.
  public var includeRedundantMembers = false
  /// Tells whether unread counts of threads come apart from those of the room.
  public var unreadThreadNotifications = false
  /// Holds the types that pass, `*` at the end being a wildcard; nil lets all pass.
  public var types: [Text]?
  /// Holds the types that do not pass.
  public var notTypes: [Text] = []
  /// Holds the rooms that pass; nil lets all pass.
  public var rooms: Set<Text>?
  /// Holds the rooms that do not pass.
  public var notRooms: Set<Text> = []
  /// Holds the senders that pass; nil lets all pass.
  public var senders: Set<Text>?
  /// Holds the senders that do not pass.
  public var notSenders: Set<Text> = []
  /// Demands (true) or forbids (false) that `content.url` is a string.
  public var containsURL: Bool?
  /// Holds MSC2326 labels of which an event must have one; nil does not ask.
  public var labels: [Text]?
  /// Holds MSC2326 labels that an event must not have.
  public var notLabels: [Text] = []
  /// Holds users of whom one must have related an event to the event; nil does not ask.
  public var relatedBySenders: [Text]?
  /// Holds relation types of which one must point to the event; nil does not ask.
  public var relatedByRelationTypes: [Text]?

  /// Makes the filter that lets everything pass.
  public init() {}

  /// Reads a definition that ``SyncFilter/validate(_:)`` has accepted; absent or null reads as empty.
  init(_ json: JSONValue?) {
    guard let json else { return }
    if let number = json["limit"]?.double { limit = number >= 0 ? Int(min(number, 1_000_000)) : 0 }
    lazyLoadMembers = json["lazy_load_members"]?.bool ?? false
    includeRedundantMembers = json["include_redundant_members"]?.bool ?? false
    unreadThreadNotifications = json["unread_thread_notifications"]?.bool ?? false
    types = Self.strings(json["types"])
    notTypes = Self.strings(json["not_types"]) ?? []
    rooms = Self.strings(json["rooms"]).map(Set.init)
    notRooms = Set(Self.strings(json["not_rooms"]) ?? [])
    senders = Self.strings(json["senders"]).map(Set.init)
    notSenders = Set(Self.strings(json["not_senders"]) ?? [])
    containsURL = json["contains_url"]?.bool
    labels = Self.strings(json["org.matrix.labels"])
    notLabels = Self.strings(json["org.matrix.not_labels"]) ?? []
    relatedBySenders = Self.strings(json["related_by_senders"])
    relatedByRelationTypes = Self.strings(json["related_by_rel_types"])
  }

  private static func strings(_ json: JSONValue?) -> [Text]? { json?.elements.map { $0.compactMap(\.string) } }

  /// Tells whether the definition lets no event pass at all.
  public var blocksAll: Bool { blocksAllTypes || blocksAllSenders || blocksAllRooms }

  var blocksAllTypes: Bool { types?.isEmpty == true || notTypes.contains("*") }
  var blocksAllSenders: Bool { senders?.isEmpty == true || notSenders.contains("*") }
  var blocksAllRooms: Bool { rooms?.isEmpty == true || notRooms.contains("*") }

  /// Tells whether the definition lets every event pass, so that nobody needs to look at them.
  public var passesAll: Bool {
    types == nil && notTypes.isEmpty && rooms == nil && notRooms.isEmpty && senders == nil && notSenders.isEmpty
      && containsURL == nil && labels == nil && notLabels.isEmpty && !asksForRelations
  }

  /// Tells whether passing depends on other events that relate to the event, which only the database knows.
  public var asksForRelations: Bool {
    relatedBySenders?.isEmpty == false || relatedByRelationTypes?.isEmpty == false
  }

  /// Tells whether rooms with this id pass.
  public func passes(room: Text) -> Bool {
    !notRooms.contains(room) && (rooms?.contains(room) ?? true)
  }

  /// Tells whether a type passes.
  public func passes(type: Text) -> Bool {
    if notTypes.contains(where: { Self.matches(type, $0) }) { return false }
    return types?.contains { Self.matches(type, $0) } ?? true
  }

  /// Tells whether a sender passes; account data has none.
  public func passes(sender: Text?) -> Bool {
    if let sender, notSenders.contains(sender) { return false }
    guard let senders else { return true }
    return sender.map(senders.contains) ?? false
  }

  /// Tells whether an event passes, relations apart.
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

  private static func matches(_ type: Text, _ pattern: Text) -> Bool {
    pattern.utf8.last == UInt8(ascii: "*") ? type.utf8.starts(with: pattern.utf8.dropLast()) : type == pattern
  }
}
