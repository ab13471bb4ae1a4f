import Logging
import MatrixPrimitives
import Testing

@testable import Replication

@Suite(.timeLimit(.minutes(1))) struct HubSendingTests {
  private func write(_ source: ScriptedSource, _ diary: Diary, queueLimit: Int = 10_000) async -> RunningHub {
    let running = await RunningHub(writers: [source.stream: ["me", "w2"]], queueLimit: queueLimit) { hub in
      hub.register(source)
      hub.subscribe(source.stream) { diary.note($0) }
    }
    running.connect()
    return running
  }

  @Test func rowsOfATokenAreABatchAndPositionsFollow() async {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["me": 5]), Diary())
    let running = await write(source, diary)
    source.setPosition("me", 9)
    running.hub.publish(.toDevice, token: 7, rows: [.toDevice("a"), .toDevice("b"), .toDevice("c")])
    #expect(
      running.transport.takeSent() == [
        #"RDATA to_device me batch ["a"]"#, #"RDATA to_device me batch ["b"]"#, #"RDATA to_device me 7 ["c"]"#,
        "POSITION to_device me 7 9",
      ])
    await running.hub.waitUntilIdle()
    #expect(diary.take() == [#"me 7 ["a"]["b"]["c"]"#])
    #expect(source.advances == [])
    await running.stop()
  }

  @Test func rowsWaitForTheOwnPositionAndGoInTokenOrder() async {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["me": 5]), Diary())
    let running = await write(source, diary)
    running.hub.publish(.toDevice, token: 8, rows: [.toDevice("eight")])
    running.hub.publish(.toDevice, token: 6, rows: [.toDevice("six")])
    running.hub.publish(.toDevice, token: 7, rows: [.toDevice("seven")])
    running.hub.publish(.toDevice, token: 7, rows: [.toDevice("more")])
    #expect(running.transport.takeSent() == [])
    source.setPosition("me", 7)
    running.hub.wake(.toDevice)
    #expect(
      running.transport.takeSent() == [
        #"RDATA to_device me 6 ["six"]"#, #"RDATA to_device me batch ["seven"]"#, #"RDATA to_device me 7 ["more"]"#,
      ])
    source.setPosition("me", 8)
    running.hub.wake(.toDevice)
    #expect(running.transport.takeSent() == [#"RDATA to_device me 8 ["eight"]"#])
    await running.hub.waitUntilIdle()
    #expect(diary.take() == [#"me 6 ["six"]"#, #"me 7 ["seven"]["more"]"#, #"me 8 ["eight"]"#])
    await running.stop()
  }

  @Test func rowsAreFoundWithoutWaking() async {
    let source = ScriptedSource(.toDevice, positions: ["me": 5])
    let (delivered, deliver) = AsyncStream.makeStream(of: Int64.self)
    let running = await RunningHub(writers: [.toDevice: ["me"]]) { hub in
      hub.register(source)
      hub.subscribe(.toDevice) { deliver.yield($0.token) }
    }
    running.connect()
    running.hub.publish(.toDevice, token: 6, rows: [.toDevice("six")])
    source.setPosition("me", 6)
    var iterator = delivered.makeAsyncIterator()
    #expect(await iterator.next() == 6)
    await running.stop()
  }

  @Test func connectingAsksForPositionsAndAnnouncesOwnOnes() async {
    let source = ScriptedSource(.toDevice, positions: ["me": 5])
    let running = await RunningHub(writers: [.toDevice: ["me"], .presence: ["w2"]]) { hub in
      hub.register(source)
      hub.register(ScriptedSource(.presence))
      hub.onConnect {
        [.userSync(instanceID: "abcde", userID: "@a:hs", deviceID: "D", isSyncing: true, lastSyncMilliseconds: 1)]
      }
    }
    running.transport.inject(.connected)
    #expect(
      running.transport.takeSent() == [
        "USER_SYNC abcde @a:hs D start 1", "REPLICATE ", "POSITION to_device me 5 5",
      ])
    await running.receive("REPLICATE ")
    #expect(running.transport.takeSent() == ["POSITION to_device me 5 5"])
    await running.stop()
  }

  @Test func positionsThatMovedWithoutRowsAreAnnouncedByTheTimer() async {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["me": 5]), Diary())
    let running = await write(source, diary)
    running.hub.tick()
    #expect(running.transport.takeSent() == [])
    source.setPosition("me", 8)
    running.hub.wake(.toDevice)
    #expect(running.transport.takeSent() == [])
    running.hub.tick()
    running.hub.tick()
    #expect(running.transport.takeSent() == ["POSITION to_device me 5 8"])
    await running.stop()
  }

  @Test func othersCacheInvalidationsAreNotEchoedAsPositions() async {
    let (source, diary) = (ScriptedSource(.caches, positions: ["me": 5]), Diary())
    let running = await write(source, diary)
    source.setPosition("me", 6)
    running.hub.tick()
    #expect(running.transport.takeSent() == [])
    source.setPosition("me", 7)
    running.hub.publishCacheInvalidation(token: 7, cacheFunction: "get_device", keys: ["@a:hs"])
    #expect(running.transport.takeSent() == [#"RDATA caches me 7 ["get_device",["@a:hs"],1700000000000]"#])
    await running.stop()
  }

  @Test func ownCacheInvalidationsThatFailedAreAnnouncedByTheTimer() async {
    let (source, diary) = (ScriptedSource(.caches, positions: ["me": 5]), Diary())
    let running = await write(source, diary)
    source.setPosition("me", 9)
    source.setOwn(7)
    running.hub.tick()
    running.hub.tick()
    #expect(running.transport.takeSent() == ["POSITION caches me 5 7"])
    await running.stop()
  }

  @Test func whatACallToAnotherProcessClaimsHasBeenAnnouncedBefore() async {
    let (source, diary) = (ScriptedSource(.caches, positions: ["me": 5]), Diary())
    let running = await write(source, diary)
    source.setPosition("me", 7)
    source.setOwn(7)
    #expect(ReplicationPositions(hub: running.hub).own() == ["caches": 7])
    #expect(running.transport.takeSent() == ["POSITION caches me 5 7"])
    await running.stop()
  }

  @Test func nothingIsSentWithoutConnectionAndPositionsTellLater() async {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["me": 5]), Diary())
    let running = await write(source, diary)
    running.transport.inject(.disconnected(reason: "test"))
    source.setPosition("me", 6)
    running.hub.publish(.toDevice, token: 6, rows: [.toDevice("a")])
    running.hub.send(.remoteServerUp(server: "x"))
    #expect(running.transport.takeSent() == [])
    await running.hub.waitUntilIdle()
    #expect(diary.take() == [#"me 6 ["a"]"#])
    running.transport.inject(.connected)
    #expect(running.transport.takeSent() == ["REPLICATE ", "POSITION to_device me 6 6"])
    await running.stop()
  }

  @Test func lateRowsStillReachTheOwnSubscribers() async {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["me": 5]), Diary())
    let running = await write(source, diary)
    running.hub.publish(.toDevice, token: 4, rows: [.toDevice("late")])
    await running.hub.waitUntilIdle()
    #expect(diary.take() == [#"me 4 ["late"]"#])
    #expect(running.transport.takeSent() == [])
    await running.stop()
  }

  @Test func ownRowsThatDoNotFitAreReadBack() async {
    let source = ScriptedSource(.toDevice, positions: ["me": 5])
    let (diary, gate) = (Diary(), Gate())
    let running = await RunningHub(writers: [.toDevice: ["me"]], queueLimit: 2) { hub in
      hub.register(source)
      hub.subscribeAfterAdvance(
        .toDevice,
        awaiting: { batch in
          await gate.pass()
          diary.note(batch)
        })
    }
    for token in Int64(6)...20 {
      source.store("me", token, .toDevice("a\(token)"))
      source.setPosition("me", token)
      running.hub.publish(.toDevice, token: token, rows: [.toDevice("a\(token)")])
    }
    await gate.open()
    await running.hub.waitUntilIdle()
    #expect(diary.take() == (6...20).map { "me \($0) [\"a\($0)\"]" })
    await running.stop()
  }

  @Test func pendingRowsThatDoNotFitAreAnnouncedAsARange() async {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["me": 5]), Diary())
    let running = await write(source, diary, queueLimit: 3)
    for token in Int64(6)...10 {
      source.store("me", token, .toDevice("a\(token)"))
      running.hub.publish(.toDevice, token: token, rows: [.toDevice("a\(token)")])
    }
    source.setPosition("me", 7)
    running.hub.wake(.toDevice)
    source.setPosition("me", 10)
    running.hub.wake(.toDevice)
    #expect(running.transport.takeSent() == ["POSITION to_device me 7 7", "POSITION to_device me 10 10"])
    await running.hub.waitUntilIdle()
    #expect(diary.take() == (6...10).map { "me \($0) [\"a\($0)\"]" })
    await running.stop()
  }

  @Test func rowsThatMayBeStoredAreReadByEverybody() async {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["me": 5]), Diary())
    let running = await write(source, diary)
    source.store("me", 6, .toDevice("a6"))
    running.hub.publishUnknown(.toDevice, token: 6)
    #expect(running.transport.takeSent() == [])
    source.setPosition("me", 6)
    running.hub.wake(.toDevice)
    source.setPosition("me", 7)
    running.hub.publish(.toDevice, token: 7, rows: [.toDevice("a7")])
    #expect(running.transport.takeSent() == ["POSITION to_device me 6 6", #"RDATA to_device me 7 ["a7"]"#])
    await running.hub.waitUntilIdle()
    #expect(diary.take() == [#"me 6 ["a6"]"#, #"me 7 ["a7"]"#])
    await running.stop()
  }

  @Test func aServerOfOneProcessDeliversToItself() async throws {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["master": 5]), Diary())
    let hub = StreamHub(
      instanceName: "master", writers: { _ in ["master"] }, transport: InMemoryTransport(), clock: .test(),
      logger: Logger(label: "test"))
    hub.register(source)
    hub.subscribe(.toDevice) { diary.note($0) }
    let task = Task { try await hub.run() }
    await hub.waitUntilCaughtUp()
    #expect(hub.isConnected)
    await hub.waitUntilIdle()
    source.setPosition("master", 6)
    hub.publish(.toDevice, token: 6, rows: [.toDevice("a")])
    await hub.waitUntilIdle()
    task.cancel()
    _ = await task.result
    await hub.waitUntilIdle()
    #expect(diary.take() == [#"master 6 ["a"]"#])
  }

  @Test func ownPositionsListWrittenStreamsOnly() async {
    let running = await RunningHub(writers: [.toDevice: ["me"], .presence: ["w2"]]) { hub in
      hub.register(ScriptedSource(.toDevice, positions: ["me": 5]))
      hub.register(ScriptedSource(.presence, positions: ["me": 6]))
      hub.register(ScriptedSource(.caches, positions: ["me": 7]))
    }
    #expect(running.hub.ownPositions() == ["to_device": 5, "caches": 7])
    await running.stop()
  }
}
