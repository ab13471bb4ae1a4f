import Crypto
import MatrixPrimitives

/// The parts of a new event, before it has a hash, a signature and an id.
public struct EventDraft: Sendable {
  /// The event type.
  public var type: Text
  /// The state key; nil for an event that is no state.
  public var stateKey: Text?
  /// The user who sends it.
  public var sender: UserID
  /// The room; nil for the create event of a room version whose room ids are hashes.
  public var roomID: RoomID?
  /// The content, an object.
  public var content: JSON
  /// The events this one follows, at most 20.
  public var prevEvents: [EventID]
  /// The events that authorise this one, at most 10; an implied create event is left out by itself.
  public var authEvents: [EventID]
  /// The distance from the create event.
  public var depth: Int64
  /// The time in milliseconds since 1970.
  public var originServerTS: Int64
  /// Unsigned data to store with the event; `age_ts` is added.
  public var unsigned: JSON?
  /// The target of a redaction; it is written where the room version wants it.
  public var redacts: EventID?

  /// Collects an event's parts.
  public init(
    type: Text, stateKey: Text? = nil, sender: UserID, roomID: RoomID?, content: JSON,
    prevEvents: [EventID] = [], authEvents: [EventID] = [], depth: Int64 = 1, originServerTS: Int64,
    unsigned: JSON? = nil, redacts: EventID? = nil
  ) {
    self.type = type
    self.stateKey = stateKey
    self.sender = sender
    self.roomID = roomID
    self.content = content
    self.prevEvents = prevEvents
    self.authEvents = authEvents
    self.depth = depth
    self.originServerTS = originServerTS
    self.unsigned = unsigned
    self.redacts = redacts
  }

  /// Makes the event: content hash, signature, id.
  /// - Parameters:
  ///   - version: the room's version.
  ///   - signer: the key to sign with.
  ///   - serverName: the server that chooses the event id in room versions 1 and 2.
  /// - Throws: `EventError` when the result would not be an acceptable event (`tooLarge`, `notCanonical`, `malformed`).
  public func seal(version: RoomVersion, signer: EventSigner, serverName: Text) throws(EventError) -> Event {
    do {
      return try sealed(version: version, signer: signer, serverName: serverName)
    } catch let error as EventError {
      throw error
    } catch let error as JSONError {
      throw EventError(error)
    } catch {
      throw EventError(.malformed, "The event could not be built: \(error)")
    }
  }

  /// The age that clients see is counted from `age_ts`, which the sending server notes; observed on Synapse's stored events.
  private var unsignedWithTime: JSON {
    var members = unsigned?.members ?? [:]
    if members["age_ts"] == nil { members["age_ts"] = .integer(originServerTS) }
    return .object(members)
  }

  private func sealed(version: RoomVersion, signer: EventSigner, serverName: Text) throws -> Event {
    let parts = try EventParts(self, version: version, serverName: serverName)
    let hash = UnpaddedBase64.encode(Array(SHA256.hash(data: parts.encode(hash: nil, signature: nil))))
    let hashed = try JSONValue.parse(parts.encode(hash: hash, signature: nil))
    let signedBytes = try Redaction.signedBytes(of: hashed, version: version)
    let signature = try signer.signature(over: signedBytes)
    let bytes = parts.encode(
      hash: hash, signature: (server: signer.serverName, keyID: signer.keyID, text: signature),
      unsigned: unsignedWithTime)
    guard bytes.count <= EventReader.maximumSize else {
      throw EventError(.tooLarge, "The event is larger than \(EventReader.maximumSize) bytes.")
    }
    let eventID =
      try parts.chosenID ?? ReferenceHash.eventID(signedBytes: signedBytes, version: version)
    // What goes along unsigned may be deeper than the event itself was allowed to be.
    let value = try JSONValue.parse(bytes, maximumDepth: JSONDocument.storedDepth)
    return try Event.parse(value, version: version, eventID: eventID)
  }
}

/// A draft's members in canonical order, which can be encoded any number of times without encoding the content again.
private struct EventParts {
  let draft: EventDraft
  let version: RoomVersion
  let content: [UInt8]
  let chosenID: EventID?
  let authEvents: [EventID]

  init(_ draft: EventDraft, version: RoomVersion, serverName: Text) throws {
    guard case .object(var members) = draft.content else {
      throw EventError(.malformed, "The content of an event must be a JSON object.")
    }
    if let redacts = draft.redacts, version.hasRedactsInContent {
      members["redacts"] = .string(redacts.rawValue)
    }
    self.draft = draft
    self.version = version
    content = try CanonicalJSON.encode(.object(members), strict: version.isCanonicalJSONStrict)
    chosenID =
      version.eventIDFormat == .chosen
      ? EventID(unchecked: "$\(RandomString.alphanumeric(18)):\(serverName)") : nil
    let implied = draft.roomID.map { EventID(unchecked: "$" + $0.rawValue.dropFirst()) }
    authEvents = version.isRoomIDCreateHash ? draft.authEvents.filter { $0 != implied } : draft.authEvents
  }

  func encode(
    hash: Text?, signature: (server: Text, keyID: Text, text: Text)?, unsigned: JSON? = nil
  ) -> [UInt8] {
    var writer = JSONWriter(capacity: content.count + 1024)
    writer.beginObject()
    writeReferences("auth_events", authEvents, to: &writer)
    writer.key("content")
    writer.raw(content)
    writer.member("depth", draft.depth)
    writer.memberIfPresent("event_id", chosenID)
    if let hash { writer.member("hashes", ["sha256": .string(hash)] as JSON) }
    writer.member("origin_server_ts", draft.originServerTS)
    writeReferences("prev_events", draft.prevEvents, to: &writer)
    if !version.hasRedactsInContent { writer.memberIfPresent("redacts", draft.redacts) }
    writer.memberIfPresent("room_id", draft.roomID)
    writer.member("sender", draft.sender)
    if let signature {
      writer.member("signatures", [signature.server: [signature.keyID: .string(signature.text)]] as JSON)
    }
    writer.memberIfPresent("state_key", draft.stateKey)
    writer.member("type", draft.type)
    writer.memberIfPresent("unsigned", unsigned)
    writer.endObject()
    return writer.exactBytes
  }

  /// Versions 1 and 2 write each reference as a pair of id and hashes; the hashes may be empty, as Synapse sends them.
  private func writeReferences(_ key: Text, _ ids: [EventID], to writer: inout JSONWriter) {
    writer.key(key)
    writer.beginArray()
    for id in ids {
      if version.eventIDFormat == .chosen {
        writer.value([.string(id.rawValue), [:]] as JSON)
      } else {
        writer.value(id)
      }
    }
    writer.endArray()
  }
}
