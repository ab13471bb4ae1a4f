import Crypto
import MatrixEvents
import MatrixPrimitives

/// The events of one room and answers about them.
struct ProbeSession {
  private struct Misuse: Error, CustomStringConvertible {
    let description: String
  }

  private var version = RoomVersion.v12
  private var events: [EventID: Event] = [:]
  private let privateKey: Curve25519.Signing.PrivateKey

  init() {
    // The key of the specification's test vectors; 32 bytes are always a key.
    let seed = UnpaddedBase64.decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1") ?? []
    privateKey = (try? Curve25519.Signing.PrivateKey(rawRepresentation: seed)) ?? Curve25519.Signing.PrivateKey()
  }

  mutating func answer(_ question: JSONValue) throws -> JSON {
    switch question["op"]?.string {
    case "room":
      guard let version = question["version"]?.string.flatMap({ RoomVersion.named($0) }) else {
        throw Misuse(description: "unknown version")
      }
      self.version = version
      events = [:]
      return [:]
    case "seal": return try seal(question)
    case "select": return ["keys": .array(AuthRules.stateKeysToCheck(try event(question)).sorted().map(Self.json))]
    case "signers":
      return ["servers": .array(AuthRules.requiredSigners(of: try event(question)).sorted().map { .string($0) })]
    case "auth":
      let state = AuthEvents(ids(question["state"]).compactMap { events[$0] })
      let event = try event(question)
      return Self.verdict { () throws(AuthError) in try AuthRules.check(event, state: state) }
    case "independent":
      let event = try event(question)
      let cited = event.authEventsWithCreate.compactMap { events[$0] }
      return Self.verdict { () throws(AuthError) in try AuthRules.checkStateIndependent(event, authEvents: cited) }
    case "resolve": return try resolve(question)
    case "verify": return try verify(question)
    case "accept":
      guard let text = question["text"]?.string else { throw Misuse(description: "no text") }
      return ["accepted": .bool((try? Event.parse(try JSONValue.parse(text), version: version)) != nil)]
    default: throw Misuse(description: "unknown question")
    }
  }

  private func event(_ question: JSONValue) throws -> Event {
    guard let event = question["id"]?.string.flatMap({ events[EventID(unchecked: $0)] }) else {
      throw Misuse(description: "unknown event")
    }
    return event
  }

  private func ids(_ value: JSONValue?) -> [EventID] {
    value?.elements?.compactMap { $0.string.map { EventID(unchecked: $0) } } ?? []
  }

  private static func verdict(_ check: () throws(AuthError) -> Void) -> JSON {
    do {
      try check()
      return ["allowed": true]
    } catch {
      return ["allowed": false, "why": .string(error.message)]
    }
  }

  private static func json(_ key: StateKey) -> JSON { [.string(key.type), .string(key.stateKey)] }

  /// Adds content hash and signature to an event, reads it, and keeps it.
  private mutating func seal(_ question: JSONValue) throws -> JSON {
    guard let source = question["event"], let server = question["server"]?.string else {
      throw Misuse(description: "no event")
    }
    let hash = try ContentHash.compute(source, version: version)
    let hashed = try Self.adding("hashes", ["sha256": .string(hash)], to: source)
    let signer = EventSigner(serverName: server, keyID: "ed25519:1", privateKey: privateKey)
    let signature = try signer.signature(ofEvent: hashed, version: version)
    let sealed = try Self.adding("signatures", .object([server: ["ed25519:1": .string(signature)]]), to: hashed)
    let event = try Event.parse(sealed, version: version)
    events[event.eventID] = event
    return [
      "content_hash": .string(hash), "id": .string(event.eventID.rawValue),
      "redacted": .string(Text(decoding: try Redaction.redact(sealed, version: version), as: UTF8.self)),
      "reference_hash": .string(UnpaddedBase64.encode(try ReferenceHash.compute(sealed, version: version))),
      "room_id": .string(event.roomID.rawValue), "signature": .string(signature),
    ]
  }

  /// Adds a member and leaves the bytes of all others as they are.
  private static func adding(_ key: Text, _ value: JSON, to object: JSONValue) throws -> JSONValue {
    var writer = JSONWriter()
    writer.beginObject()
    writer.rawMembers(object.raw.dropFirst().dropLast())
    writer.key(key)
    writer.value(value)
    writer.endObject()
    return try JSONValue.parse(writer.bytes)
  }

  private func resolve(_ question: JSONValue) throws -> JSON {
    let sets = (question["sets"]?.elements?.map { ids($0) } ?? []).map { ids in
      ids.reduce(into: StateMap()) { state, id in if let key = events[id]?.key { state[key] = id } }
    }
    var graph = AuthGraph { events[$0]?.authEventsWithCreate ?? [] }
    let disputed = StateResolution.separate(sets, version: version).conflicted.values.flatMap { $0 }
    let state = try StateResolution.resolve(
      version: version, stateSets: sets, authChainDifference: try graph.authChainDifference(of: sets),
      conflictedSubgraph: try graph.conflictedSubgraph(of: Set(disputed)), events: { events[$0] })
    return [
      "conflicts": .integer(Int64(disputed.count)),
      "state": .array(
        state.sorted { $0.key < $1.key }.map { key, id in
          [.string(key.type), .string(key.stateKey), .string(id.rawValue)]
        }),
    ]
  }

  /// Checks the signature of an event as it was sent, which may have been changed since.
  private func verify(_ question: JSONValue) throws -> JSON {
    guard let event = question["event"], let server = question["server"]?.string else {
      throw Misuse(description: "no event")
    }
    let isSigned =
      (try? Signatures.verify(
        event: event, version: version, serverName: server, keyID: "ed25519:1", publicKey: privateKey.publicKey)) != nil
    return ["hash": .bool(try ContentHash.matches(event, version: version)), "signature": .bool(isSigned)]
  }
}
