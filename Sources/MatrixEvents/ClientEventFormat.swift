import MatrixPrimitives

/// Writes events the way clients get them, by copying slices of the stored bytes around the members that differ.
public struct ClientEventFormat: Sendable {
  /// Tells whether `room_id` is written; sync leaves it out because the room is the key there.
  public var includesRoomID: Bool
  /// Tells whether the members that old clients look for at the top (`user_id`, `age`, `prev_content` …) are repeated there.
  public var repeatsLegacyMembers: Bool
  /// Tells whether `invite_room_state` and `knock_room_state` stay in `unsigned`.
  public var includesStrippedState: Bool

  /// Chooses the members to write.
  public init(includesRoomID: Bool = true, repeatsLegacyMembers: Bool = false, includesStrippedState: Bool = false) {
    self.includesRoomID = includesRoomID
    self.repeatsLegacyMembers = repeatsLegacyMembers
    self.includesStrippedState = includesStrippedState
  }

  /// The form for timelines and state in sync.
  public static let sync = ClientEventFormat(includesRoomID: false)
  /// The form with a room id for endpoints that answer with single events or pages.
  public static let full = ClientEventFormat()
  /// The form Synapse answers old endpoints with: as `full`, with the members old clients look for.
  public static let legacy = ClientEventFormat(repeatsLegacyMembers: true)

  /// Writes an event as one value.
  /// - Parameters:
  ///   - event: the event, already in its redacted form if it was redacted.
  ///   - unsigned: what the server adds for this reader.
  ///   - writer: where to write to.
  public func write(_ event: Event, unsigned: ClientUnsigned = ClientUnsigned(), to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("event_id", event.eventID)
    if includesRoomID { writer.member("room_id", event.roomID) }
    copyMembers(of: event, to: &writer)
    if repeatsLegacyMembers { writer.member("user_id", event.sender) }
    let entries = unsigned.entries(event, includesStrippedState: includesStrippedState)
    writer.key("unsigned")
    writer.beginObject()
    for entry in entries { entry.write(to: &writer) }
    writer.endObject()
    if repeatsLegacyMembers {
      for entry in entries where ClientUnsigned.legacyKeys.contains(entry.key) { entry.write(to: &writer) }
    }
    writer.endObject()
  }

  private func copyMembers(of event: Event, to writer: inout JSONWriter) {
    guard let members = event.json.members else { return }
    let target = event.type == EventType.redaction ? event.redacts : nil
    for (key, value, raw) in members.slices {
      switch key.string {
      case "event_id", "room_id", "unsigned", "auth_events", "prev_events", "hashes", "signatures", "depth", "origin",
        "prev_state":
        continue
      case "redacts" where target != nil: continue
      case "content" where target != nil && value["redacts"] == nil:
        // Clients find the target in either place, whatever the room version.
        writer.key("content")
        writer.beginObject()
        if let target { writer.member("redacts", target) }
        writer.rawMembers(value.raw.dropFirst().dropLast())
        writer.endObject()
      default: writer.rawMembers(raw)
      }
    }
    if let target { writer.member("redacts", target) }
  }
}

/// Holds what the server adds to an event's `unsigned` for one reader.
public struct ClientUnsigned: Sendable {
  static let legacyKeys: Set<String> = [
    "age", "redacted_because", "replaces_state", "prev_content", "invite_room_state", "knock_room_state",
  ]

  /// Gives the present time in milliseconds, from which the age follows for events that note `age_ts`.
  public var nowMilliseconds: Int64?
  /// Gives the transaction id, for the device that sent the event.
  public var transactionID: String?
  /// Gives the reader's membership when the event was sent.
  public var membership: String?
  /// Gives the content of the state this event replaced, if it is not stored with the event.
  public var previousContent: JSONValue?
  /// Gives who had sent the state this event replaced.
  public var previousSender: UserID?
  /// Gives the id of the state event this event replaced.
  public var replacesState: EventID?
  /// Gives the bytes of the redaction in the form for clients, for redacted events.
  public var redactedBecause: [UInt8]?
  /// Gives the bytes of `m.relations`.
  public var relations: [UInt8]?

  /// Collects what is added; everything may be left out.
  public init(
    nowMilliseconds: Int64? = nil, transactionID: String? = nil, membership: String? = nil,
    previousContent: JSONValue? = nil, previousSender: UserID? = nil, replacesState: EventID? = nil,
    redactedBecause: [UInt8]? = nil, relations: [UInt8]? = nil
  ) {
    self.nowMilliseconds = nowMilliseconds
    self.transactionID = transactionID
    self.membership = membership
    self.previousContent = previousContent
    self.previousSender = previousSender
    self.replacesState = replacesState
    self.redactedBecause = redactedBecause
    self.relations = relations
  }

  /// One member of `unsigned`.
  struct Entry {
    enum Value {
      case integer(Int64)
      case string(String)
      case raw(ArraySlice<UInt8>)
    }

    let key: String
    let value: Value

    func write(to writer: inout JSONWriter) {
      writer.key(key)
      switch value {
      case .integer(let integer): writer.value(integer)
      case .string(let string): writer.value(string)
      case .raw(let bytes): writer.raw(bytes)
      }
    }
  }

  /// Lists the members to write: what is given here, then what is stored and meant for clients.
  func entries(_ event: Event, includesStrippedState: Bool) -> [Entry] {
    var entries: [Entry] = []
    let stored = event.unsigned
    if let nowMilliseconds, let sent = stored?["age_ts"]?.integer {
      let (age, overflow) = nowMilliseconds.subtractingReportingOverflow(sent)
      if !overflow { entries.append(Entry(key: "age", value: .integer(age))) }
    }
    func add(_ key: String, _ value: Entry.Value?) {
      if let value {
        entries.append(Entry(key: key, value: value))
      } else if let kept = stored?[key] {
        entries.append(Entry(key: key, value: .raw(kept.raw)))
      }
    }
    add("prev_content", previousContent.map { .raw($0.raw) })
    add("prev_sender", previousSender.map { .string($0.rawValue) })
    add("replaces_state", replacesState.map { .string($0.rawValue) })
    if includesStrippedState {
      add("invite_room_state", nil)
      add("knock_room_state", nil)
    }
    if let transactionID { add("transaction_id", .string(transactionID)) }
    if let membership { add("membership", .string(membership)) }
    if let redactedBecause { add("redacted_because", .raw(redactedBecause[...])) }
    if let relations { add("m.relations", .raw(relations[...])) }
    return entries
  }
}
