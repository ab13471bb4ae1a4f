import Logging
import MatrixPrimitives
import TestSupport
import Testing

@testable import Replication

@Suite(.timeLimit(.minutes(1))) struct CallRouterTests {
  private static let writers: [StreamName: [Text]] = [.events: ["w1", "w2"], .presence: ["w2"], .typing: []]

  private func router(_ instance: Text, client: ReplicationClient? = nil) -> CallRouter {
    CallRouter(instanceName: instance, writers: { Self.writers[$0] ?? ["master"] }, client: client)
  }

  private func call(_ destination: CallDestination) -> SampleCall {
    SampleCall(user: "@a:hs", type: "t", number: 1, destination: destination)
  }

  @Test func aProcessDoesItselfWhatIsItsOwn() async throws {
    let own: [(instance: Text, destination: CallDestination)] = [
      ("master", .main), ("master", .writer(of: .accountData)), ("w1", .writer(of: .events)),
      ("w2", .writer(of: .events)), ("w1", .firstWriter(of: .events)), ("w2", .firstWriter(of: .presence)),
    ]
    for (instance, destination) in own {
      #expect(router(instance).isHere(destination))
      let answer = try await router(instance).perform(call(destination)) { StreamIDAnswer($0.number + 1) }
      #expect(answer.streamID == 2)
    }
    let others: [(instance: Text, destination: CallDestination)] = [
      ("w1", .main), ("w1", .writer(of: .accountData)), ("master", .writer(of: .events)),
      ("w2", .firstWriter(of: .events)), ("w1", .firstWriter(of: .presence)), ("master", .firstWriter(of: .typing)),
    ]
    for (instance, destination) in others { #expect(!router(instance).isHere(destination)) }
  }

  @Test(arguments: 0..<20) func oneOfTheWritersHasAKey(number: Int) {
    let key: Text = "!room\(Text(number)):hs"
    let owner = Sharding.instance(for: key, in: ["w1", "w2"])
    for instance in ["w1", "w2"] {
      #expect(router(instance).isHere(.shard(of: .events, key: key)) == (instance == owner))
    }
    #expect(!router("master").isHere(.shard(of: .events, key: key)))
  }

  @Test func othersAreAsked() async throws {
    let server = try await ReplicationHTTPServer.start { _, _ in .init(body: #"{"max_stream_id":9}"#) }
    let address = ReplicationAddress.tcp(host: "127.0.0.1", port: server.port, tls: false)
    let client = ReplicationClient(
      instanceName: "w1", instances: ["master": address, "w2": address], secret: nil,
      positions: ReplicationPositions(own: { [:] }, wait: { _, _ in }), logger: Logger(label: "test"))
    let router = router("w1", client: client)
    for destination in [CallDestination.main, .writer(of: .presence), .firstWriter(of: .presence)] {
      let answer = try await router.perform(call(destination)) { _ in
        Issue.record("carried out here")
        return StreamIDAnswer(0)
      }
      #expect(answer.streamID == 9)
    }
    #expect(server.calls.count == 3)
    try await server.channel.close()
  }

  @Test func withoutSomebodyToAskThereIsAnError() async throws {
    #expect(router("w1").isAlone)
    let error = await #expect(throws: MatrixError.self) {
      _ = try await router("w1").perform(call(.main)) { _ in StreamIDAnswer(0) }
    }
    #expect(error?.status == 500)
  }
}
