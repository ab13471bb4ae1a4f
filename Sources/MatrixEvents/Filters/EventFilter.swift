import MatrixPrimitives

/// One definition of a filter, such as `room.timeline` or the `filter` of `/messages`: which events pass, and how many.
///
/// The lists of what does not pass win over the lists of what does. https://spec.matrix.org/v1.16/client-server-api/#filtering
public struct EventFilter: Sendable {
  /// Form in which events are sent.
  public enum Format: Sendable {
    /// The client form of the specification.
    case client
    /// Events as servers exchange them.
    case federation
  }

  /// Greatest number of events in a timeline; never negative.
  public var limit = 10
  /// Whether member events are sent only for the senders that are shown.
  public var lazyLoadMembers = false
  /// Whether lazily loaded members are sent again although the client has them.
  public var includeRedundantMembers = false
  /// Whether unread counts of threads come apart from those of the room.
  public var unreadThreadNotifications = false
  /// The same under the name of MSC3773, which counts where the server's configuration says so.
  public var unstableUnreadThreadNotifications = false
  /// Types that pass, `*` standing for any run of characters; nil lets all pass.
  public var types: [Text]?
  /// Types that do not pass.
  public var notTypes: [Text] = []
  /// Rooms that pass; nil lets all pass.
  public var rooms: Set<Text>?
  /// Rooms that do not pass.
  public var notRooms: Set<Text> = []
  /// Senders that pass; nil lets all pass.
  public var senders: Set<Text>?
  /// Senders that do not pass.
  public var notSenders: Set<Text> = []
  /// Whether `content.url` must (true) or must not (false) be a string; nil when it does not matter.
  public var containsURL: Bool?
  /// MSC2326 labels of which an event must have one; nil when they do not matter.
  public var labels: [Text]?
  /// MSC2326 labels that an event must not have.
  public var notLabels: [Text] = []
  /// Users of whom one must have related an event to the event; nil or empty when it does not matter.
  public var relatedBySenders: [Text]?
  /// Relation types of which one must point to the event; nil or empty when it does not matter.
  public var relatedByRelationTypes: [Text]?
  /// Form in which the events are wanted, where the definition stands alone.
  public var format = Format.client

  /// Makes the filter that lets everything pass.
  public init() {}

  /// Reads the filter that a query parameter gives as JSON.
  ///
  /// Members may be null and ids of any form, as on Synapse: clients rely on it.
  /// - Parameter text: the parameter; nil or empty for the filter that lets everything pass.
  /// - Throws: what ``SyncFilter/init(text:maximumTimelineLimit:)`` throws.
  public init(text: Text?) throws(MatrixError) {
    self.init()
    guard let text, !text.isEmpty else { return }
    let json = try FilterShape.parse(text)
    try FilterShape(isStrict: false).check(definition: json)
    self = EventFilter(json)
    format = Self.format(json)
  }

  /// Reads the filter that is a part of a request's body; members may be null and ids of any form, as on Synapse.
  ///
  /// - Throws: 400 `M_UNKNOWN` for a wrong shape, 413 when it is too large.
  public init(definition json: JSONValue) throws(MatrixError) {
    try FilterShape(isStrict: false).check(definition: json)
    self = EventFilter(json)
  }

  /// Reads a definition; what is absent, null or of a wrong shape reads as empty.
  init(_ json: JSONValue?) {
    guard let json else { return }
    if let number = json["limit"]?.double { limit = number >= 0 ? Int(min(number, 1_000_000)) : 0 }
    lazyLoadMembers = json["lazy_load_members"]?.bool ?? false
    includeRedundantMembers = json["include_redundant_members"]?.bool ?? false
    unreadThreadNotifications = json["unread_thread_notifications"]?.bool ?? false
    unstableUnreadThreadNotifications = json["org.matrix.msc3773.unread_thread_notifications"]?.bool ?? false
    types = Self.patterns(json["types"])
    notTypes = Self.patterns(json["not_types"]) ?? []
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

  /// Reads patterns. Of wildcards in a row one is kept, which says the same.
  private static func patterns(_ json: JSONValue?) -> [Text]? {
    strings(json)?.map { pattern in
      var bytes: [UInt8] = []
      for byte in pattern.utf8 where byte != star || bytes.last != star { bytes.append(byte) }
      return Text(decoding: bytes, as: UTF8.self)
    }
  }

  static func format(_ json: JSONValue) -> Format {
    json["event_format"]?.string == "federation" ? .federation : .client
  }
}
