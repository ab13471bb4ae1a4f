import Crypto
import MatrixEvents
import MatrixPrimitives

/// The measurement of what is done to every event: reading, hashing, signing, checking, redacting, showing.
enum EventBenchmarks {
  static var all: [Benchmark] {
    [
      Benchmark("json/parse", unit: "events", countedCalls: 2000) {
        let bytes = try message().json.raw
        return .plain { keep(try JSONValue.parse(Array(bytes))) }
      },
      Benchmark("json/canonical", unit: "events", countedCalls: 2000) {
        let value = try message().json
        return .plain { keep(try CanonicalJSON.encode(value)) }
      },
      Benchmark("json/tree-canonical", unit: "events", countedCalls: 1000) {
        let tree = try message().json.json
        return .plain { keep(try CanonicalJSON.encode(tree)) }
      },
      Benchmark("event/parse-stored", unit: "events", countedCalls: 1000) {
        let event = try message()
        let bytes = Array(event.json.raw)
        return .plain { keep(try Event.parse(try JSONValue.parse(bytes), version: .v11, eventID: event.eventID)) }
      },
      Benchmark("event/parse-received", unit: "events", countedCalls: 500) {
        let bytes = Array(try message().json.raw)
        return .plain { keep(try Event.parse(try JSONValue.parse(bytes), version: .v11)) }
      },
      Benchmark("event/content-hash", unit: "events", countedCalls: 500) {
        let value = try message().json
        return .plain { keep(try ContentHash.compute(value, version: .v11)) }
      },
      Benchmark("event/id", unit: "events", countedCalls: 500) {
        let value = try message().json
        return .plain { keep(try ReferenceHash.eventID(of: value, version: .v11)) }
      },
      Benchmark("event/sign", unit: "events", countedCalls: 50) {
        let value = try message().json
        let signer = try signer()
        return .plain { keep(try signer.signature(ofEvent: value, version: .v11)) }
      },
      Benchmark("event/verify", unit: "events", countedCalls: 50, prepare: verify),
      Benchmark("event/seal", unit: "events", countedCalls: 50) {
        let draft = draft
        let signer = try signer()
        return .plain { keep(try draft.seal(version: .v11, signer: signer, serverName: signer.serverName)) }
      },
      Benchmark("event/redact", unit: "events", countedCalls: 500) {
        let event = try message()
        return .plain { keep(try event.redacted()) }
      },
      Benchmark("client/serialise", unit: "events", countedCalls: 1000) {
        let event = try message()
        let unsigned = ClientUnsigned(
          nowMilliseconds: 1_700_000_001_000, transactionID: "m1700000000000.1", membership: "join")
        return .plain {
          var writer = JSONWriter(capacity: 1024)
          ClientEventFormat.sync.write(event, unsigned: unsigned, to: &writer)
          keep(writer.bytes.count)
        }
      },
    ]
  }

  static func signer() throws -> EventSigner {
    EventSigner(
      serverName: "a.example", keyID: "ed25519:a_bench",
      privateKey: try Curve25519.Signing.PrivateKey(rawRepresentation: [UInt8](repeating: 7, count: 32)))
  }

  /// A message as a client of today sends it: formatted, a reply, with mentions.
  private static var draft: EventDraft {
    let event = { (letter: String) in EventID(unchecked: "$\(String(repeating: letter, count: 43))") }
    return EventDraft(
      type: EventType.message, sender: UserID(unchecked: "@alice:a.example"),
      roomID: RoomID(unchecked: "!ExampleRoomIdentifier:a.example"),
      content: [
        "body": "Shall we meet at the river on Thursday? — I bring the rope, you bring the \"other thing\".",
        "format": "org.matrix.custom.html",
        "formatted_body": "Shall we meet at <b>the river</b> on Thursday? — I bring the rope.",
        "m.mentions": ["user_ids": ["@bob:b.example"]],
        "m.relates_to": ["m.in_reply_to": ["event_id": .string(event("R").rawValue)]], "msgtype": "m.text",
      ],
      prevEvents: [event("P")], authEvents: [event("C"), event("L"), event("M")], depth: 4711,
      originServerTS: 1_700_000_000_000)
  }

  static func message() throws -> Event {
    let signer = try signer()
    return try draft.seal(version: .v11, signer: signer, serverName: signer.serverName)
  }

  private static func verify() throws -> Benchmark.Body {
    let event = try message()
    let bytes = UnpaddedBase64.decode(try signer().publicKey) ?? []
    let key = VerifyKey(
      serverName: "a.example", keyID: "ed25519:a_bench", publicKey: try .init(rawRepresentation: bytes),
      validUntilTS: Int64.max)
    guard try EventVerification.verified(event, keys: [key], now: event.originServerTS) === event else {
      throw FixtureError(description: "the message's hash does not fit")
    }
    return .plain {
      keep(try EventVerification.verified(event, keys: [key], now: event.originServerTS))
    }
  }
}
