import ByteText
import NIOCore
import SeededNumbers
import Testing

@testable import Redis

@Suite struct RedisReplyReaderTests {
  static let table: [(wire: Text, replies: [RedisReply])] = [
    ("+PONG\r\n", [.status("PONG")]),
    ("-NOAUTH Authentication required.\r\n", [.error("NOAUTH Authentication required.")]),
    (":1234567890123\r\n:-7\r\n", [.integer(1_234_567_890_123), .integer(-7)]),
    ("$-1\r\n", [.null]),
    ("$0\r\n\r\n", [.string([])]),
    ("$5\r\na\r\nbc\r\n", [.string(Array("a\r\nbc".utf8))]),
    ("*0\r\n", [.array([])]),
    ("*-1\r\n", [.null]),
    (
      "*3\r\n$9\r\nsubscribe\r\n$2\r\nhs\r\n:1\r\n",
      [.array([.string(Array("subscribe".utf8)), .string(Array("hs".utf8)), .integer(1)])]
    ),
    ("*2\r\n*1\r\n:1\r\n$-1\r\n+OK\r\n", [.array([.array([.integer(1)]), .null]), .status("OK")]),
  ]

  @Test(arguments: table.indices) func readsRepliesHoweverTheyAreCut(_ index: Int) throws {
    let (wire, expected) = Self.table[index]
    let bytes = Array(wire.utf8)
    for cut in 0...bytes.count {
      let reader = try RedisReplyReader()
      var replies: [RedisReply] = []
      for part in [bytes[..<cut], bytes[cut...]] {
        try reader.feed(Array(part))
        while let reply = try reader.next() { replies.append(reply) }
      }
      #expect(replies == expected)
    }
  }

  @Test func truncatedRepliesYieldNothing() throws {
    for (wire, _) in Self.table where wire.utf8.count(where: { $0 == UInt8(ascii: "\n") }) == 1 {
      let reader = try RedisReplyReader()
      try reader.feed(Array(wire.utf8.dropLast()))
      let reply = try reader.next()
      #expect(reply == nil)
    }
  }

  @Test(arguments: [
    "hello\r\n", "*2147483647\r\n", "*-5\r\n", "*100000\r\n", Text(repeating: "*1\r\n", count: 12),
    "*4294967296\r\n:1\r\n:2\r\n",
  ]) func refusesWhatIsBrokenOrExcessive(_ wire: Text) throws {
    let reader = try RedisReplyReader()
    try reader.feed(Array(wire.utf8))
    #expect(throws: RedisError.self) { () throws in
      while try reader.next() != nil {}
    }
  }

  @Test func aReplyThatNeverEndsIsRefused() throws {
    let reader = try RedisReplyReader()
    let block = [UInt8](repeating: UInt8(ascii: "a"), count: 8 << 20)
    try reader.feed(Array("$536870912\r\n".utf8))
    #expect(throws: RedisError.self) { () throws in
      for _ in 0..<16 { try reader.feed(block) }
    }
  }

  @Test(arguments: 0..<200) func randomInputDoesNoHarm(_ seed: UInt64) throws {
    var generator = SeededRandom(seed)
    let alphabet = Array("*$:+-0123456789\r\n\r\n\r\nabc".utf8)
    let reader = try RedisReplyReader()
    for _ in 0..<20 {
      let bytes = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
        alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
      }
      try reader.feed(bytes)
      do {
        while try reader.next() != nil {}
      } catch {
        #expect((error as? RedisError)?.code == .protocolViolation)
        return
      }
    }
  }

  @Test func commandsAreBinarySafe() throws {
    var buffer = ByteBuffer()
    try RedisCommandEncoder.append([Array("SET".utf8), [], [0, 13, 10, 255]], to: &buffer)
    try RedisCommandEncoder.append([Array("PING".utf8)], to: &buffer)
    let expected =
      Array("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n".utf8) + [0, 13, 10, 255] + Array("\r\n*1\r\n$4\r\nPING\r\n".utf8)
    #expect(Array(buffer.readableBytesView) == expected)
  }
}

extension RedisReplyReader {
  func feed(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try feed($0) }
  }
}
