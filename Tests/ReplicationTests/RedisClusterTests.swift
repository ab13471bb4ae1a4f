import Logging
import MatrixPrimitives
import Redis
import TestSupport
import Testing

@testable import Replication

/// A process of a cluster on a real Redis.
private struct Member {
  let hub: StreamHub
  let source: ScriptedSource
  let diary = Diary()
  let delivered: AsyncStream<Int64>
  let task: Task<Void, any Error>

  init(_ name: Text, cluster: Text, redis: TestRedis) {
    let transport = RedisTransport(
      configuration: RedisConfiguration(endpoint: .unix(path: redis.socketPath)), serverName: cluster,
      receivesUserIP: name == "w1", logger: Logger(label: "test"))
    let hub = StreamHub(
      instanceName: name, writers: { _ in ["w1", "w2"] }, transport: transport, clock: .test(),
      logger: Logger(label: "test"))
    source = ScriptedSource(.toDevice)
    let (stream, continuation) = AsyncStream.makeStream(of: Int64.self)
    delivered = stream
    let diary = diary
    hub.register(source)
    hub.register(ScriptedSource(.caches))
    hub.subscribe(.toDevice) { diary.note($0) }
    hub.subscribeAfterAdvance(.toDevice) { continuation.yield($0.token) }
    hub.onCommand { diary.note($0.name) }
    self.hub = hub
    task = Task { try await hub.run() }
  }

  func write(_ token: Int64, _ rows: [Text]) {
    for row in rows { source.store(hub.instanceName, token, .toDevice(row)) }
    source.setPosition(hub.instanceName, token)
    hub.publish(.toDevice, token: token, rows: rows.map { .toDevice($0) })
  }

  /// Waits until the rows of a token were delivered.
  func waitForDelivery(_ token: Int64) async { for await delivered in delivered where delivered == token { return } }

  func stop() async {
    task.cancel()
    _ = await task.result
  }
}

@Suite(.timeLimit(.minutes(1))) struct RedisClusterTests {
  @Test func writersThatDoNotRunAreNotWaitedFor() async throws {
    let one = Member("w1", cluster: "alone", redis: try TestRedis.shared())
    await one.hub.waitUntilCaughtUp()
    #expect(one.hub.missingPositions == ["to_device/w2"])
    await one.stop()
  }

  @Test func twoProcessesHearEachOther() async throws {
    let redis = try TestRedis.shared()
    let (one, two) = (Member("w1", cluster: "pair", redis: redis), Member("w2", cluster: "pair", redis: redis))
    await one.hub.waitUntilCaughtUp()
    await two.hub.waitUntilCaughtUp()
    for token in Int64(2)...500 { one.write(token, ["a\(token)", "b\(token)"]) }
    await two.waitForDelivery(500)
    await one.waitForDelivery(500)
    let expected = (2...500).map { "w1 \($0) [\"a\($0)\"][\"b\($0)\"]" }
    #expect(two.diary.take() == expected)
    #expect(one.diary.take() == expected)
    #expect(two.source.currentToken(of: "w1") == 500)
    two.write(501, ["back"])
    await one.waitForDelivery(501)
    #expect(one.diary.take() == [#"w2 501 ["back"]"#])
    await one.stop()
    await two.stop()
  }

  @Test func rowsWrittenWhileRedisIsGoneAreCaughtUp() async throws {
    let redis = try TestRedis()
    let (one, two) = (Member("w1", cluster: "lost", redis: redis), Member("w2", cluster: "lost", redis: redis))
    await one.hub.waitUntilCaughtUp()
    await two.hub.waitUntilCaughtUp()
    one.write(2, ["before"])
    await two.waitForDelivery(2)
    redis.stop()
    two.source.store("w1", 3, .toDevice("meanwhile"))
    one.write(3, ["meanwhile"])
    try redis.start()
    await two.waitForDelivery(3)
    await two.hub.waitUntilCaughtUp()
    await one.hub.waitUntilCaughtUp()
    one.write(4, ["after"])
    await two.waitForDelivery(4)
    #expect(two.diary.take() == [#"w1 2 ["before"]"#, #"w1 3 ["meanwhile"]"#, #"w1 4 ["after"]"#])
    await one.stop()
    await two.stop()
  }

  @Test func userIPsTravelOnTheirOwnChannel() async throws {
    let redis = try TestRedis.shared()
    let (one, two) = (Member("w1", cluster: "ips", redis: redis), Member("w2", cluster: "ips", redis: redis))
    await one.hub.waitUntilCaughtUp()
    await two.hub.waitUntilCaughtUp()
    two.hub.send(
      .userIP(
        .init(userID: "@a:hs", accessToken: "t", ip: "::1", userAgent: "x", deviceID: "D", lastSeenMilliseconds: 1)))
    two.hub.send(.remoteServerUp(server: "example.com"))
    two.write(2, ["end"])
    await one.waitForDelivery(2)
    await two.waitForDelivery(2)
    await one.hub.waitUntilIdle()
    await two.hub.waitUntilIdle()
    #expect(Set(one.diary.take()) == ["USER_IP", "REMOTE_SERVER_UP", #"w2 2 ["end"]"#])
    #expect(Set(two.diary.take()) == ["REMOTE_SERVER_UP", #"w2 2 ["end"]"#])
    await one.stop()
    await two.stop()
  }
}
