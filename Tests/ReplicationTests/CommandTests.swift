import MatrixPrimitives
import SeededNumbers
import Testing

@testable import Replication

@Suite struct CommandTests {
  static let lines: [(Text, ReplicationCommand)] = [
    (
      #"RDATA events master batch ["ev",["$id","!r:hs","m.room.member","@a:hs",null,null,"join",false,false]]"#,
      .rdata(
        stream: .events, instance: "master", token: nil,
        row: Array(#"["ev",["$id","!r:hs","m.room.member","@a:hs",null,null,"join",false,false]]"#.utf8))
    ),
    (
      #"RDATA caches worker1 5 ["get_device",["@a:hs","DEV"],1795420596894]"#,
      .rdata(
        stream: .caches, instance: "worker1", token: 5,
        row: Array(#"["get_device",["@a:hs","DEV"],1795420596894]"#.utf8))
    ),
    ("POSITION to_device master 7 9", .position(stream: .toDevice, instance: "master", previous: 7, new: 9)),
    ("POSITION backfill w -1 -1", .position(stream: .backfill, instance: "w", previous: -1, new: -1)),
    ("REPLICATE ", .replicate),
    (
      "USER_SYNC abcde @b:hs None start 1795420599740",
      .userSync(
        instanceID: "abcde", userID: "@b:hs", deviceID: nil, isSyncing: true, lastSyncMilliseconds: 1_795_420_599_740)
    ),
    (
      "USER_SYNC abcde @b:hs DEV end 1",
      .userSync(instanceID: "abcde", userID: "@b:hs", deviceID: "DEV", isSyncing: false, lastSyncMilliseconds: 1)
    ),
    ("CLEAR_USER_SYNC abcde", .clearUserSync(instanceID: "abcde")),
    (
      #"USER_IP @b:hs ["syt_x","127.0.0.1","curl/8 \"x\"",null,1795420599740]"#,
      .userIP(
        .init(
          userID: "@b:hs", accessToken: "syt_x", ip: "127.0.0.1", userAgent: "curl/8 \"x\"", deviceID: nil,
          lastSeenMilliseconds: 1_795_420_599_740))
    ),
    ("FEDERATION_ACK fed1 12", .federationAck(instance: "fed1", token: 12)),
    ("REMOTE_SERVER_UP example.com:8448", .remoteServerUp(server: "example.com:8448")),
    (
      #"LOCK_RELEASED ["master","upload_media","a b"]"#,
      .lockReleased(instance: "master", name: "upload_media", key: "a b")
    ),
    ("NEW_ACTIVE_TASK hgdfkjshg", .newActiveTask(id: "hgdfkjshg")),
    ("CANCEL_TASK hgdfkjshg", .cancelTask(id: "hgdfkjshg")),
    ("PING 123", .legacy(name: "PING", argument: "123")),
  ]

  @Test(arguments: lines.indices) func linesAreReadAndWrittenExactly(_ index: Int) throws {
    let (line, command) = Self.lines[index]
    #expect(try ReplicationCommand(line: Array(line.utf8)) == command)
    #expect(try command.encode() == Array(line.utf8))
  }

  @Test func aMissingSpaceAfterReplicateIsAccepted() throws {
    #expect(try ReplicationCommand(line: Array("REPLICATE".utf8)) == .replicate)
  }

  @Test(arguments: [
    "", " ", "RDATA", "RDATA events", "RDATA events master", "RDATA events master x []", "POSITION events master 1",
    "POSITION events master 1 2x", "POSITION events  1 2", "USER_SYNC a b c d 5", "USER_SYNC a b c start",
    "USER_IP @b:hs", "USER_IP @b:hs {}", "USER_IP @b:hs [1,2,3,4,5]", "USER_IP @b:hs [\"a\",\"b\",\"c\",5,6]",
    "LOCK_RELEASED", "LOCK_RELEASED [\"a\",\"b\"]", "FEDERATION_ACK a", "NOVEL thing",
    "POSITION events master 1 99999999999999999999",
  ]) func malformedLinesAreRefused(_ line: Text) {
    #expect(throws: ReplicationError.self) { _ = try ReplicationCommand(line: Array(line.utf8)) }
  }

  @Test func whatWouldBreakTheLineIsNotSent() {
    let broken: [ReplicationCommand] = [
      .remoteServerUp(server: "a\nREPLICATE "), .position(stream: .events, instance: "a b", previous: 1, new: 1),
      .federationAck(instance: "", token: 1),
      .rdata(stream: .events, instance: "a", token: 1, row: [0x5B, 0x0A, 0x5D]),
    ]
    for command in broken { #expect(throws: ReplicationError.self) { _ = try command.encode() } }
  }

  @Test func truncatedLinesNeverTrapAndNeverYieldTheWholeCommand() {
    for (line, command) in Self.lines {
      let bytes = Array(line.utf8)
      for length in 0..<bytes.count {
        guard let read = try? ReplicationCommand(line: Array(bytes[..<length])) else { continue }
        if command != .replicate { #expect(read != command) }
      }
    }
  }

  @Test(arguments: UInt64(0)..<100) func mutatedLinesAreReadOrRefused(_ seed: UInt64) throws {
    var generator = SeededRandom(seed)
    for (line, _) in Self.lines {
      var bytes = Array(line.utf8)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      guard let command = try? ReplicationCommand(line: bytes) else { continue }
      if case .rdata(let stream, _, _, let row) = command, let json = try? JSONValue.parse(row) {
        _ = try? StreamRow(stream: stream, json: json)
      }
      // What was read can be written, unless it holds what the channel cannot carry.
      if let written = try? command.encode() { #expect(try ReplicationCommand(line: written) == command) }
    }
  }
}
