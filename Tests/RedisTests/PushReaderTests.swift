import ByteText
import CHiredis
import Testing

@testable import Redis

@Suite struct PushReaderTests {
  static let table: [(wire: Text, items: [PushReader.Item])] = [
    ("+PONG\r\n", [.status]),
    ("-NOAUTH Authentication required.\r\n", [.error("NOAUTH Authentication required.")]),
    ("*3\r\n$9\r\nsubscribe\r\n$2\r\nhs\r\n:1\r\n", [.subscribed(channel: 0)]),
    (
      "*3\r\n$7\r\nmessage\r\n$10\r\nhs/USER_IP\r\n$0\r\n\r\n*3\r\n$7\r\nmessage\r\n$2\r\nhs\r\n$4\r\na\r\nb\r\n",
      [.message(channel: 1, payload: []), .message(channel: 0, payload: Array("a\r\nb".utf8))]
    ),
    ("*2\r\n$4\r\npong\r\n$0\r\n\r\n:7\r\n$-1\r\n$2\r\nhs\r\n", [.list, .single, .single, .single]),
    // A channel that nobody asked for, parts of other types, lists within lists, parts that are missing.
    ("*3\r\n$7\r\nmessage\r\n$5\r\nother\r\n$1\r\na\r\n", [.list]),
    ("*3\r\n$7\r\nmessage\r\n$2\r\nhs\r\n:1\r\n", [.list]),
    ("*3\r\n*1\r\n$7\r\nmessage\r\n$2\r\nhs\r\n$1\r\na\r\n", [.list]),
    ("*2\r\n$7\r\nmessage\r\n$2\r\nhs\r\n+OK\r\n", [.list, .status]),
    ("*0\r\n*-1\r\n", [.list, .single]),
    ("*4\r\n$7\r\nmessage\r\n$2\r\nhs\r\n$1\r\na\r\n$1\r\nb\r\n", [.message(channel: 0, payload: [0x61])]),
  ]

  private func read(_ parts: [ArraySlice<UInt8>]) throws -> [PushReader.Item] {
    let raw = try #require(redisReaderCreateWithFunctions(nil))
    defer { redisReaderFree(raw) }
    let reader = PushReader(channels: ["hs", "hs/USER_IP"])
    reader.attach(to: raw)
    var items: [PushReader.Item] = []
    for part in parts where !part.isEmpty {
      let status = part.withUnsafeBytes { bytes in
        redisReaderFeed(raw, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
      }
      #expect(status == REDIS_OK)
      while true {
        var object: UnsafeMutableRawPointer?
        guard redisReaderGetReply(raw, &object) == REDIS_OK else { throw RedisError(.protocolViolation, "broken") }
        guard object != nil else { break }
        items.append(reader.take())
      }
    }
    return withExtendedLifetime(reader) { items }
  }

  @Test(arguments: table.indices) func readsPushesHoweverTheyAreCut(_ index: Int) throws {
    let (wire, expected) = Self.table[index]
    let bytes = Array(wire.utf8)
    for cut in 0...bytes.count { #expect(try read([bytes[..<cut], bytes[cut...]]) == expected) }
  }

  @Test(arguments: ["hello\r\n", "*2147483647\r\n", "*-5\r\n", "*100000\r\n", Text(repeating: "*1\r\n", count: 12)])
  func refusesWhatIsBrokenOrExcessive(_ wire: Text) {
    #expect(throws: RedisError.self) { try read([Array(wire.utf8)[...]]) }
  }
}
