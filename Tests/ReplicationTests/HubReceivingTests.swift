import Logging
import MatrixPrimitives
import Synchronization
import Testing

@testable import Replication

/// A running hub named `me` with a scripted transport.
struct RunningHub {
  let hub: StreamHub
  let transport: ScriptedTransport
  let task: Task<Void, any Error>

  init(writers: [StreamName: [Text]], queueLimit: Int = 10_000, _ prepare: (StreamHub) -> Void) async {
    transport = ScriptedTransport()
    let hub = StreamHub(
      instanceName: "me", writers: { writers[$0] ?? ["master"] }, transport: transport, clock: .test(),
      queueLimit: queueLimit, logger: Logger(label: "test"))
    prepare(hub)
    self.hub = hub
    task = Task { try await hub.run() }
    await transport.waitForStart()
  }

  func connect() {
    transport.inject(.connected)
    _ = transport.takeSent()
  }

  func receive(_ lines: Text...) async {
    for line in lines { transport.inject(.line(Array(line.utf8))) }
    await hub.waitUntilIdle()
  }

  func stop() async {
    task.cancel()
    _ = try? await task.value
  }
}

@Suite(.timeLimit(.minutes(1))) struct HubReceivingTests {
  private func follow(
    _ source: ScriptedSource, writers: [Text] = ["w1", "w2"], queueLimit: Int = 10_000, _ diary: Diary
  ) async -> RunningHub {
    let running = await RunningHub(writers: [source.stream: writers], queueLimit: queueLimit) { hub in
      hub.register(source)
      hub.subscribe(source.stream) { diary.note($0) }
    }
    running.connect()
    return running
  }

  @Test func rowsBeforeTheFirstPositionAreDroppedAndCaughtUp() async {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["w1": 5]), Diary())
    let running = await follow(source, diary)
    await running.receive(#"RDATA to_device w1 7 ["@a:hs"]"#)
    #expect(diary.take() == [])
    source.store("w1", 6, .toDevice("@six:hs"))
    source.store("w1", 7, .toDevice("@seven:hs"))
    await running.receive("POSITION to_device w1 8 8")
    #expect(diary.take() == [#"w1 6 ["@six:hs"]"#, #"w1 7 ["@seven:hs"]"#])
    #expect(source.currentToken(of: "w1") == 8)
    await running.receive(#"RDATA to_device w1 9 ["@b:hs"]"#)
    #expect(diary.take() == [#"w1 9 ["@b:hs"]"#])
    #expect(source.currentToken(of: "w1") == 9)
    await running.stop()
  }

  @Test func batchesAreDeliveredWholeAndPerWriter() async {
    let (source, diary) = (ScriptedSource(.toDevice), Diary())
    let running = await follow(source, diary)
    await running.receive(
      "POSITION to_device w1 1 1", "POSITION to_device w2 1 1", #"RDATA to_device w1 batch ["a"]"#,
      #"RDATA to_device w2 3 ["x"]"#, #"RDATA to_device w1 batch ["b"]"#)
    #expect(diary.take() == [#"w2 3 ["x"]"#])
    await running.receive(#"RDATA to_device w1 4 ["c"]"#)
    #expect(diary.take() == [#"w1 4 ["a"]["b"]["c"]"#])
    await running.stop()
  }

  @Test func aPositionClearsTheUnfinishedBatch() async {
    let (source, diary) = (ScriptedSource(.toDevice), Diary())
    let running = await follow(source, diary)
    await running.receive(
      "POSITION to_device w1 1 1", #"RDATA to_device w1 batch ["a"]"#, "POSITION to_device w1 1 2",
      #"RDATA to_device w1 3 ["c"]"#)
    #expect(diary.take() == [#"w1 3 ["c"]"#])
    await running.stop()
  }

  @Test func oldRowsAndOwnEchoesAreDropped() async {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["w1": 5, "me": 1]), Diary())
    let running = await follow(source, diary)
    await running.receive(
      "POSITION to_device w1 5 5", #"RDATA to_device w1 5 ["old"]"#, "POSITION to_device me 1 9",
      #"RDATA to_device me 9 ["own"]"#)
    #expect(diary.take() == [])
    #expect(source.currentToken(of: "me") == 1)
    await running.stop()
  }

  @Test func aPositionWithinReachNeedsNoCatchUp() async {
    let (source, diary) = (ScriptedSource(.toDevice, positions: ["w1": 5]), Diary())
    let running = await follow(source, diary)
    await running.receive("POSITION to_device w1 4 9", "POSITION to_device w1 3 3")
    #expect(source.asked == [])
    #expect(source.currentToken(of: "w1") == 9)
    await running.stop()
  }

  @Test func catchUpReadsPageByPageAndGroupsByToken() async {
    let (source, diary) = (ScriptedSource(.toDevice), Diary())
    for token in Int64(2)...8 {
      source.store("w1", token, .toDevice("a\(token)"))
      source.store("w1", token, .toDevice("b\(token)"))
    }
    let running = await follow(source, diary)
    await running.receive("POSITION to_device w1 10 10")
    #expect(source.asked == ["w1 1-10", "w1 4-10", "w1 7-10"])
    #expect(diary.take() == (2...8).map { "w1 \($0) [\"a\($0)\"][\"b\($0)\"]" })
    #expect(source.currentToken(of: "w1") == 10)
    await running.stop()
  }

  @Test func aWriterInMemoryThatRestartedIsForgottenFirst() async {
    let (source, diary) = (ScriptedSource(.typing, positions: ["w1": 50]), Diary())
    let running = await follow(source, diary)
    await running.receive("POSITION typing w1 0 0")
    #expect(source.asked == ["w1 50-0"])
    #expect(source.advances == ["w1=0", "w1=0"])
    await running.receive(#"RDATA typing w1 1 ["!r:hs",["@a:hs"]]"#)
    #expect(diary.take() == [#"w1 1 ["!r:hs",["@a:hs"]]"#])
    await running.stop()
  }

  @Test func aFailedCatchUpIsTriedAgain() async {
    let (source, diary) = (ScriptedSource(.toDevice), Diary())
    let running = await follow(source, writers: ["w1"], diary)
    source.store("w1", 3, .toDevice("a"))
    source.failNext(1)
    await running.receive("POSITION to_device w1 3 3", #"RDATA to_device w1 4 ["b"]"#)
    #expect(diary.take() == [])
    await running.hub.waitUntilCaughtUp()
    #expect(diary.take() == [#"w1 3 ["a"]"#])
    await running.stop()
  }

  @Test func storesAreToldBeforeThePositionMovesAndOthersAfter() async {
    let (source, diary) = (ScriptedSource(.toDevice), Diary())
    let running = await RunningHub(writers: [.toDevice: ["w1"]]) { hub in
      hub.register(source)
      hub.subscribeAfterAdvance(.toDevice) { _ in diary.note("after \(source.currentToken(of: "w1"))") }
      hub.subscribe(.toDevice) { _ in diary.note("first \(source.currentToken(of: "w1"))") }
      hub.subscribe(.toDevice) { _ in diary.note("second \(source.currentToken(of: "w1"))") }
    }
    running.connect()
    await running.receive("POSITION to_device w1 1 1", #"RDATA to_device w1 2 ["a"]"#)
    #expect(diary.take() == ["first 1", "second 1", "after 2"])
    await running.stop()
  }

  @Test func whatComesWhileARowIsHandledFollowsIt() async {
    let (source, diary) = (ScriptedSource(.toDevice), Diary())
    let later = Mutex<ScriptedTransport?>(nil)
    let running = await RunningHub(writers: [.toDevice: ["w1"]]) { hub in
      hub.register(source)
      hub.subscribe(.toDevice) { batch in
        diary.note("begin \(batch.token)")
        later.withLock { $0.take() }?.inject(lines: #"RDATA to_device w1 3 ["b"]"#)
      }
      hub.subscribeAfterAdvance(.toDevice) { diary.note("end \($0.token)") }
    }
    running.connect()
    await running.receive("POSITION to_device w1 1 1")
    later.withLock { $0 = running.transport }
    await running.receive(#"RDATA to_device w1 2 ["a"]"#, #"RDATA to_device w1 4 ["c"]"#)
    #expect(diary.take() == ["begin 2", "end 2", "begin 3", "end 3", "begin 4", "end 4"])
    await running.stop()
  }

  @Test func readinessNeedsEveryWriterAgainAfterEachConnect() async {
    let (source, diary) = (ScriptedSource(.toDevice), Diary())
    let running = await follow(source, diary)
    #expect(running.hub.missingPositions == ["to_device/w1", "to_device/w2"])
    await running.receive("POSITION to_device w1 1 1", "POSITION to_device w2 1 1")
    await running.hub.waitUntilCaughtUp()
    running.transport.inject(.disconnected(reason: "test"), .connected)
    await running.hub.waitUntilIdle()
    #expect(running.hub.missingPositions.count == 2)
    await running.receive(#"RDATA to_device w1 2 ["dropped"]"#)
    #expect(diary.take() == [])
    await running.stop()
  }

  @Test func waitersWakeWhenThePositionIsReached() async {
    let (source, diary) = (ScriptedSource(.toDevice), Diary())
    let running = await follow(source, diary)
    async let reached = running.hub.waitForPosition(.toDevice, instance: "w1", token: 3, timeout: .seconds(60))
    async let late = running.hub.waitForPosition(.toDevice, instance: "w1", token: 99, timeout: .milliseconds(1))
    #expect(await late == false)
    await running.receive("POSITION to_device w1 1 1", #"RDATA to_device w1 3 ["a"]"#)
    #expect(await reached)
    #expect(await running.hub.waitForPosition(.toDevice, instance: "me", token: 99))
    await running.stop()
  }

  @Test func anOverflowIsCaughtUp() async {
    let (source, diary) = (ScriptedSource(.toDevice), Diary())
    let gate = Gate()
    let running = await RunningHub(writers: [.toDevice: ["w1"]], queueLimit: 3) { hub in
      hub.register(source)
      hub.subscribeAfterAdvance(
        .toDevice,
        awaiting: { batch in
          await gate.pass()
          diary.note(batch)
        })
    }
    running.connect()
    await running.receive("POSITION to_device w1 1 1")
    for token in Int64(2)...20 {
      source.store("w1", token, .toDevice("a\(token)"))
      running.transport.inject(lines: "RDATA to_device w1 \(token) [\"a\(token)\"]")
    }
    await gate.open()
    await running.hub.waitUntilIdle()
    #expect(running.transport.takeSent().contains("REPLICATE "))
    #expect(running.hub.missingPositions == ["to_device/w1"])
    await running.receive("POSITION to_device w1 20 20")
    #expect(diary.take() == (2...20).map { "w1 \($0) [\"a\($0)\"]" })
    await running.stop()
  }

  @Test func unreadableLinesAndRowsStopNothing() async {
    let (source, diary) = (ScriptedSource(.toDevice), Diary())
    let running = await follow(source, diary)
    await running.receive(
      "NOVEL x", "POSITION novel_stream w1 1 1", "POSITION to_device w1 1 1", "RDATA to_device w1 2 [5]",
      "RDATA to_device w1 3 {", #"RDATA to_device w1 4 ["a"]"#)
    #expect(diary.take() == ["w1 2 ", "w1 3 ", #"w1 4 ["a"]"#])
    await running.stop()
  }

  @Test func commandsReachTheirHandlersInOrder() async {
    let diary = Diary()
    let running = await RunningHub(writers: [:]) { hub in hub.onCommand { diary.note($0.name) } }
    running.connect()
    await running.receive("CLEAR_USER_SYNC abcde", "REMOTE_SERVER_UP a.example", "REPLICATE ", "CANCEL_TASK x")
    #expect(diary.take() == ["CLEAR_USER_SYNC", "REMOTE_SERVER_UP", "CANCEL_TASK"])
    await running.stop()
  }
}

/// A gate that holds tasks back until it is opened.
actor Gate {
  private var isOpen = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func pass() async {
    if isOpen { return }
    await withCheckedContinuation { waiting.append($0) }
  }

  func open() {
    isOpen = true
    for continuation in waiting { continuation.resume() }
    waiting = []
  }
}
