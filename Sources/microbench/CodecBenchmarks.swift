import MatrixPrimitives
import Replication
import Stores

/// The measurement of the text forms that go between processes and to clients: replication commands, sync tokens.
enum CodecBenchmarks {
  static var all: [Benchmark] {
    [
      Benchmark("replication/decode", unit: "commands", items: 3, countedCalls: 1000) {
        let lines = lines
        return .plain { for line in lines { keep(try ReplicationCommand(line: line)) } }
      },
      Benchmark("replication/encode", unit: "commands", items: 3, countedCalls: 1000) {
        let commands = try lines.map { try ReplicationCommand(line: $0) }
        return .plain { for command in commands { keep(try command.encode()) } }
      },
      Benchmark("token/decode", unit: "tokens") {
        .suspending { keep(try await StreamToken.parse(token, directory: Instances())) }
      },
      Benchmark("token/encode", unit: "tokens") {
        let numbers = (1...14).map { Int64($0) * 1000 }
        var token = StreamToken()
        token.room = RoomStreamToken(MultiWriterToken(stream: numbers[0], ahead: ["persister": numbers[1]]))
        token.presence = numbers[2]
        token.receipt = MultiWriterToken(stream: numbers[3])
        let filled = token
        return .suspending { keep(try await filled.text(directory: Instances())) }
      },
    ]
  }

  private static let token = "m2633508~1.2633510_17_338_6732159_1082514_541479_274711_265584_1_379_4242_4141_4343_4444"

  private static var lines: [[UInt8]] {
    [
      #"RDATA events persister 2633508 ["ev", ["$acR1l0raoZnm60CBwAVgqbZqoO_mYU81xysh1u7XcJk", "!room:a.example", "m.room.message", null, null, null, false, false]]"#,
      "POSITION receipts worker1 541478 541479",
      "USER_SYNC worker1 @alice:a.example DEVICE start 1700000000000",
    ].map { Array($0.utf8) }
  }

  private struct Instances: InstanceDirectory {
    func instanceID(forName name: Text) async throws -> Int64 { 1 }
    func instanceName(forID id: Int64) async throws -> Text? { "persister" }
  }
}
