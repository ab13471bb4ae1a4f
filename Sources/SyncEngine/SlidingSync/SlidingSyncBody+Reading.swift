import MatrixPrimitives
import Stores

extension SlidingSyncBody {
  /// The most lists, as on Synapse.
  static let mostLists = 100
  /// The longest name of a list, in characters, as on Synapse.
  static let longestListName = 64
  /// The longest name of a connection, in bytes: the tables' index takes no more than some 2,700.
  static let longestConnectionName = 255
  /// The most rooms that a client may subscribe to; Synapse has no such bound, the proposal's is 100.
  static let mostSubscriptions = 1_000
  /// The most entries of a choice of state; Synapse has no such bound.
  static let mostRequiredState = 1_000
  /// The most ranges of a list; each is answered with its rooms.
  static let mostRanges = 20
  /// The most names in a condition of a list, and in what an extension is wanted for; Synapse has no such bound.
  static let mostNames = 1_000
  /// The longest timeline, as on Synapse.
  static let longestTimeline: Int64 = 1_000

  /// Reads the body of a request; members that are not known are passed over.
  ///
  /// - Throws: `MatrixError`: `M_MISSING_PARAM` or `M_INVALID_PARAM` when just one thing is missing or has a value that cannot be used,
  ///   `M_BAD_JSON` for everything else.
  public init(_ json: JSONValue) throws(MatrixError) {
    var reader = SlidingBodyReader()
    connection = reader.string(json, "conn_id") ?? ""
    if connection.utf8.count > Self.longestConnectionName || connection.contains(0) {
      reader.note(.value, "'conn_id' is too long or has a zero byte")
    }
    reader.eachMember(of: json, "lists") { reader, name, list in
      if name.unicodeScalars.count > Self.longestListName { reader.note(.shape, "a name in 'lists' is too long") }
      lists[name] = reader.list(list)
    }
    if lists.count > Self.mostLists { reader.note(.shape, "'lists' has more than \(Self.mostLists) members") }
    reader.eachMember(of: json, "room_subscriptions") { reader, room, subscription in
      let config = reader.config(subscription)
      // Whatever is no room has no member either.
      if let room = RoomID(room) { subscriptions[room] = config }
    }
    if subscriptions.count > Self.mostSubscriptions {
      reader.note(.shape, "'room_subscriptions' has more than \(Self.mostSubscriptions) members")
    }
    extensions = reader.extensions(json)
    try reader.check()
  }
}

/// The reader of the parts of a request, which notes what is wrong and goes on, since the number of faults decides the error.
struct SlidingBodyReader {
  /// Kinds of faults.
  enum Fault {
    /// A member that must be there is not.
    case missing
    /// A value cannot be used.
    case value
    /// Everything else.
    case shape
  }

  private var faults: [(kind: Fault, message: Text)] = []

  mutating func note(_ kind: Fault, _ message: Text) {
    // What comes after the second fault changes nothing.
    if faults.count < 2 { faults.append((kind, message)) }
  }

  func check() throws(MatrixError) {
    guard let first = faults.first else { return }
    guard faults.count == 1 else { throw .badJSON(first.message) }
    switch first.kind {
    case .missing: throw .missingParam(first.message)
    case .value: throw .invalidParam(first.message)
    case .shape: throw .badJSON(first.message)
    }
  }

  // MARK: Members of any kind

  /// Reads a member that may be absent or null.
  private mutating func optional<T>(
    _ json: JSONValue, _ key: Text, _ expected: Text, _ convert: (JSONValue) -> T?
  ) -> T? {
    guard let member = json[key], !member.isNull else { return nil }
    if let value = convert(member) { return value }
    note(.shape, "'\(key)' must be \(expected)")
    return nil
  }

  mutating func string(_ json: JSONValue, _ key: Text) -> Text? { optional(json, key, "a string", \.string) }

  mutating func bool(_ json: JSONValue, _ key: Text) -> Bool? { optional(json, key, "a boolean", \.bool) }

  mutating func strings(_ json: JSONValue, _ key: Text) -> [Text]? {
    optional(json, key, "an array of at most \(SlidingSyncBody.mostNames) strings") { Self.all($0.elements, \.string) }
  }

  /// Reads strings, among which there may be nulls.
  mutating func types(_ json: JSONValue, _ key: Text) -> [Text?]? {
    optional(json, key, "an array of at most \(SlidingSyncBody.mostNames) strings and nulls") { value in
      Self.all(value.elements) { $0.isNull ? .some(nil) : $0.string.map { .some($0) } }
    }
  }

  /// Converts all elements; nil when one cannot be.
  private static func all<T>(_ elements: JSONElements?, _ convert: (JSONValue) -> T?) -> [T]? {
    guard let elements, elements.count <= SlidingSyncBody.mostNames else { return nil }
    var values: [T] = []
    for element in elements {
      guard let value = convert(element) else { return nil }
      values.append(value)
    }
    return values
  }

  mutating func eachMember(
    of json: JSONValue, _ key: Text, _ body: (inout SlidingBodyReader, Text, JSONValue) -> Void
  ) {
    guard let members = optional(json, key, "an object", \.members) else { return }
    for (name, value) in members { body(&self, name, value) }
  }

  // MARK: Rooms

  mutating func config(_ json: JSONValue) -> SlidingRoomConfig {
    var config = SlidingRoomConfig(timelineLimit: 0, requiredState: SlidingRequiredState())
    guard json.members != nil else {
      note(.shape, "a list or a subscription must be an object")
      return config
    }
    if let pairs = json["required_state"] {
      config.requiredState = requiredState(pairs)
    } else {
      note(.missing, "Missing parameter: required_state")
    }
    guard let limit = json["timeline_limit"] else {
      note(.missing, "Missing parameter: timeline_limit")
      return config
    }
    guard let limit = limit.integer, limit <= SlidingSyncBody.longestTimeline else {
      note(.shape, "'timeline_limit' must be an integer of at most \(SlidingSyncBody.longestTimeline)")
      return config
    }
    config.timelineLimit = Int(max(limit, 0))
    return config
  }

  /// Reads pairs; nil when there is a fault. A pair that is too short lacks something, as on Synapse.
  private mutating func pairs<T>(
    _ json: JSONValue, _ name: Text, _ expected: Text, _ convert: (JSONValue) -> T?
  ) -> [(T, T)]? {
    guard let elements = json.elements, elements.count <= SlidingSyncBody.mostRequiredState else {
      note(.shape, "'\(name)' must be an array of at most \(SlidingSyncBody.mostRequiredState) pairs of \(expected)")
      return nil
    }
    var pairs: [(T, T)] = []
    for pair in elements {
      let values = pair.elements.map { $0.map(convert) } ?? [nil, nil]
      for _ in values.count..<max(values.count, 2) { note(.missing, "A pair in '\(name)' lacks a member") }
      if values.count > 2 || values.contains(where: { $0 == nil }) {
        note(.shape, "'\(name)' must be an array of pairs of \(expected)")
      }
      guard values.count == 2, let first = values[0], let second = values[1] else { return nil }
      pairs.append((first, second))
    }
    return pairs
  }

  private mutating func requiredState(_ json: JSONValue) -> SlidingRequiredState {
    var wanted = SlidingRequiredState()
    // No event has longer ones.
    for (type, key) in pairs(json, "required_state", "strings", \.string) ?? []
    where type.utf8.count <= 1_024 && key.utf8.count <= 1_024 {
      wanted.insert(type, key)
    }
    return wanted
  }

  mutating func list(_ json: JSONValue) -> SlidingSyncBody.List {
    var list = SlidingSyncBody.List(config: config(json))
    if let ranges = json["ranges"], !ranges.isNull {
      let pairs = pairs(ranges, "ranges", "integers that are not negative") { json in
        json.integer.flatMap { $0 < 0 ? nil : $0 }
      }
      list.ranges = (pairs ?? []).map { SlidingSyncBody.Range(first: $0.0, last: $0.1) }
      if list.ranges.count > SlidingSyncBody.mostRanges {
        note(.shape, "'ranges' must be an array of at most \(SlidingSyncBody.mostRanges) pairs")
      }
    }
    _ = bool(json, "slow_get_all_rooms")
    if let filters = optional(json, "filters", "an object", Self.object) { list.filters = self.filters(filters) }
    return list
  }

  private static func object(_ json: JSONValue) -> JSONValue? { json.members == nil ? nil : json }

  private mutating func filters(_ json: JSONValue) -> SlidingListFilters {
    SlidingListFilters(
      isDirect: bool(json, "is_dm"), spaces: strings(json, "spaces"), isEncrypted: bool(json, "is_encrypted"),
      isInvite: bool(json, "is_invite"), types: types(json, "room_types"), excludedTypes: types(json, "not_room_types"),
      nameContains: string(json, "room_name_like"), tags: strings(json, "tags"), excludedTags: strings(json, "not_tags")
    )
  }

  // MARK: Extensions

  mutating func extensions(_ json: JSONValue) -> SlidingSyncBody.Extensions {
    var wanted = SlidingSyncBody.Extensions()
    guard let all = optional(json, "extensions", "an object", Self.object) else { return wanted }
    if let (json, isEnabled) = section(all, "to_device") {
      let toDevice = self.toDevice(json)
      if isEnabled { wanted.toDevice = toDevice }
    }
    wanted.wantsKeys = section(all, "e2ee")?.isEnabled ?? false
    wanted.accountData = scope(all, "account_data")
    wanted.receipts = scope(all, "receipts")
    wanted.typing = scope(all, "typing")
    if let (json, isEnabled) = section(all, "io.element.msc4308.thread_subscriptions") {
      let limit = integer(json, "limit") ?? 100
      if isEnabled { wanted.threadSubscriptions = Int(max(1, min(limit, 1_000))) }
    }
    return wanted
  }

  private mutating func section(_ json: JSONValue, _ name: Text) -> (json: JSONValue, isEnabled: Bool)? {
    guard let section = optional(json, name, "an object", Self.object) else { return nil }
    return (section, bool(section, "enabled") ?? false)
  }

  /// Reads an integer that may be absent, but not null.
  private mutating func integer(_ json: JSONValue, _ key: Text) -> Int64? {
    guard let member = json[key] else { return nil }
    if let value = member.integer { return value }
    note(.shape, "'\(key)' must be an integer")
    return nil
  }

  private mutating func toDevice(_ json: JSONValue) -> SlidingSyncBody.ToDevice {
    var wanted = SlidingSyncBody.ToDevice()
    if let limit = integer(json, "limit") { wanted.limit = Int(max(1, min(limit, 100))) }
    guard let since = string(json, "since") else { return wanted }
    wanted.since = Int64(since)
    if wanted.since == nil { note(.value, "'extensions.to_device.since' is invalid (should look like an int)") }
    return wanted
  }

  private mutating func scope(_ json: JSONValue, _ name: Text) -> SlidingSyncBody.Scope? {
    guard let (section, isEnabled) = section(json, name) else { return nil }
    var scope = SlidingSyncBody.Scope()
    if section["lists"] != nil { scope.lists = strings(section, "lists") }
    if section["rooms"] != nil { scope.rooms = strings(section, "rooms") }
    return isEnabled ? scope : nil
  }
}
