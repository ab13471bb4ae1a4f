import MatrixPrimitives

/// The form in which clients get events, made by copying slices of the stored bytes around the members that differ.
public struct ClientEventFormat: Sendable {
  /// Whether `room_id` is written; sync leaves it out because the room is the key there.
  public var includesRoomID: Bool
  /// Whether the members that old clients look for at the top (`user_id`, `age`, `prev_content` …) are repeated there.
  public var repeatsLegacyMembers: Bool
  /// Whether `invite_room_state` and `knock_room_state` stay in `unsigned`.
  public var includesStrippedState: Bool
  /// Whether the members stay by which servers link, hash and sign events.
  public var includesServerMembers: Bool

  /// Chooses the members to write.
  public init(
    includesRoomID: Bool = true, repeatsLegacyMembers: Bool = false, includesStrippedState: Bool = false,
    includesServerMembers: Bool = false
  ) {
    self.includesRoomID = includesRoomID
    self.repeatsLegacyMembers = repeatsLegacyMembers
    self.includesStrippedState = includesStrippedState
    self.includesServerMembers = includesServerMembers
  }

  /// The form for timelines and state in sync.
  public static let sync = ClientEventFormat(includesRoomID: false)
  /// The form with a room id for endpoints that answer with single events or pages.
  public static let full = ClientEventFormat()
  /// The form Synapse answers old endpoints with: as `full`, with the members old clients look for.
  public static let legacy = ClientEventFormat(repeatsLegacyMembers: true)
  /// The form for clients whose filter asks for `event_format: federation`.
  public static let federation = ClientEventFormat(includesStrippedState: true, includesServerMembers: true)

  /// Writes an event as one value.
  /// - Parameters:
  ///   - event: the event, already in its redacted form if it was redacted.
  ///   - unsigned: what the server adds for this reader.
  ///   - writer: where to write to.
  public func write(_ event: Event, unsigned: ClientUnsigned = ClientUnsigned(), to writer: inout JSONWriter) {
    let form = event.clientForm
    writer.beginObject()
    if includesServerMembers {
      writeServerMembers(of: event, to: &writer)
    } else if includesRoomID {
      writer.raw(form.bytes)
    } else {
      writer.raw(form.bytes[..<form.idEnd])
      writer.rawMembers(form.bytes.dropFirst(form.membersStart))
    }
    if repeatsLegacyMembers { writer.member("user_id", event.sender) }
    writer.key("unsigned" as StaticString)
    writer.beginObject()
    unsigned.write(event, form, includesStrippedState: includesStrippedState, isLegacy: false, to: &writer)
    writer.endObject()
    if repeatsLegacyMembers {
      unsigned.write(event, form, includesStrippedState: includesStrippedState, isLegacy: true, to: &writer)
    }
    writer.endObject()
  }

  /// Writes the members as servers get them; events of the first room versions hold their id, which is not written twice.
  private func writeServerMembers(of event: Event, to writer: inout JSONWriter) {
    writer.member("event_id", event.eventID)
    writer.member("room_id", event.roomID)
    guard let members = event.json.members else { return }
    for (key, _, raw) in members.slices where !["event_id", "room_id", "unsigned"].contains(key.string) {
      writer.rawMembers(raw)
    }
  }
}

/// What the server adds to an event's `unsigned` for one reader.
public struct ClientUnsigned: Sendable {
  /// The present time in milliseconds, from which the age follows for events that note `age_ts`.
  public var nowMilliseconds: Int64?
  /// The transaction id, for the device that sent the event.
  public var transactionID: Text?
  /// The event's name among those that were to be sent later (MSC4140), for its sender.
  public var delayID: Text?
  /// The reader's membership when the event was sent.
  public var membership: Text?
  /// The content of the state this event replaced, if it is not stored with the event.
  public var previousContent: JSONValue?
  /// The sender of the state that this event replaced.
  public var previousSender: UserID?
  /// The id of the state event this event replaced.
  public var replacesState: EventID?
  /// The id of the redaction, for redacted events.
  public var redactedBy: EventID?
  /// The bytes of the redaction in the form for clients, for redacted events.
  public var redactedBecause: [UInt8]?
  /// The bytes of `m.relations`.
  public var relations: [UInt8]?

  /// Collects what is added; everything may be left out.
  public init(
    nowMilliseconds: Int64? = nil, transactionID: Text? = nil, membership: Text? = nil,
    previousContent: JSONValue? = nil, previousSender: UserID? = nil, replacesState: EventID? = nil,
    redactedBy: EventID? = nil, redactedBecause: [UInt8]? = nil, relations: [UInt8]? = nil
  ) {
    self.nowMilliseconds = nowMilliseconds
    self.transactionID = transactionID
    self.membership = membership
    self.previousContent = previousContent
    self.previousSender = previousSender
    self.replacesState = replacesState
    self.redactedBy = redactedBy
    self.redactedBecause = redactedBecause
    self.relations = relations
  }

  /// Writes the members: what is given here, then what is stored and meant for clients.
  ///
  /// - Parameter isLegacy: whether to write only those that old clients look for outside of `unsigned`.
  func write(
    _ event: Event, _ form: ClientForm, includesStrippedState: Bool, isLegacy: Bool, to writer: inout JSONWriter
  ) {
    if let nowMilliseconds, let sent = form.ageTS {
      let (age, overflow) = nowMilliseconds.subtractingReportingOverflow(sent)
      if !overflow {
        writer.key("age" as StaticString)
        writer.value(age)
      }
    }
    let stored = form.keepsUnsigned ? event.unsigned : nil
    if let content = previousContent ?? stored?["prev_content"] {
      writer.key("prev_content" as StaticString)
      writer.value(content)
    }
    if !isLegacy {
      if let previousSender {
        writer.member("prev_sender", previousSender)
      } else if let sender = stored?["prev_sender"] {
        writer.member("prev_sender", sender)
      }
    }
    if let replacesState {
      writer.member("replaces_state", replacesState)
    } else if let id = stored?["replaces_state"] {
      writer.member("replaces_state", id)
    }
    if includesStrippedState {
      for key in ["invite_room_state", "knock_room_state"] { writer.memberIfPresent(key, stored?[key]) }
    }
    if !isLegacy { writeForReader(to: &writer) }
    if !isLegacy, let redactedBy { writer.member("redacted_by", redactedBy) }
    if let redactedBecause {
      writer.key("redacted_because" as StaticString)
      writer.raw(redactedBecause)
    }
    if !isLegacy, let relations {
      writer.key("m.relations" as StaticString)
      writer.raw(relations)
    }
  }

  private func writeForReader(to writer: inout JSONWriter) {
    if let transactionID {
      writer.key("transaction_id" as StaticString)
      writer.value(transactionID)
    }
    if let delayID { writer.member("org.matrix.msc4140.delay_id", delayID) }
    if let membership {
      writer.key("membership" as StaticString)
      writer.value(membership)
    }
  }
}
