import MatrixEvents
import MatrixPrimitives
import Stores
import Synchronization
import TestSupport
import Testing

@testable import EventPersistence
@testable import RoomServices

@Suite struct RoomRulesTests {
  @Test(arguments: [
    ("m.room.message", nil, #"{"msgtype":"m.text"}"#), ("m.room.message", nil, #"{"msgtype":1,"body":"a"}"#),
    ("m.room.topic", "", #"{"topic":5}"#), ("m.room.name", nil, #"{"name":"a"}"#), ("m.room.member", "@a:b", "{}"),
    ("m.room.member", "@a:b", #"{"membership":"x"}"#), ("m.room.member", "a", #"{"membership":"join"}"#),
    ("m.room.tombstone", "", "{}"), ("m.room.tombstone", "", #"{"replacement_room":"!r:test"}"#),
    ("m.room.power_levels", "", #"{"ban":"50"}"#), ("m.room.power_levels", "", #"{"users":{"@a:b":1.5}}"#),
    ("m.room.power_levels", "", #"{"events":[]}"#), ("m.room.power_levels", "", #"{"ban":9007199254740993}"#),
    ("m.room.server_acl", "", #"{"deny":["*"],"allow":["*"]}"#), ("m.room.server_acl", "", "{}"),
    ("m.room.canonical_alias", "", #"{"alias":1}"#), ("m.room.canonical_alias", "", #"{"alt_aliases":["a",1]}"#),
    ("m.room.retention", "", #"{"min_lifetime":5,"max_lifetime":1}"#),
    ("m.room.retention", "", #"{"max_lifetime":"1"}"#),
    ("m.room.aliases", "test", #"{"aliases":"a"}"#), ("org.x", nil, #"{"m.mentions":[]}"#),
    ("org.x", nil, #"{"m.mentions":{"user_ids":[1]}}"#), ("org.x", nil, #"{"m.mentions":{"room":1}}"#),
  ])
  func contentsThatMayNotBeAreRefused(type: Text, stateKey: Text?, content: Text) throws {
    let validator = EventContentValidator(serverName: "test")
    let draft = ClientEventDraft(
      roomID: RoomID(unchecked: "!r:test"), type: type, stateKey: stateKey, content: try JSON.parse(content))
    let error = #expect(throws: MatrixError.self) { try validator.check(draft, version: .v10) }
    #expect(error?.status == 400)
  }

  @Test func namesThatAreTooLongAreRefused() throws {
    let validator = EventContentValidator(serverName: "test")
    let long = Text(repeating: "x", count: 256)
    for (type, stateKey) in [(long, nil), ("org.x", long)] as [(Text, Text?)] {
      let draft = ClientEventDraft(roomID: RoomID(unchecked: "!r:test"), type: type, stateKey: stateKey, content: [:])
      let error = #expect(throws: MatrixError.self) { try validator.check(draft, version: .v10) }
      #expect(error?.errcode == "M_TOO_LARGE")
    }
  }

  @Test func whatWaitsTogetherIsDoneTogetherAndInOrder() async throws {
    let gate = Gate()
    let (batches, continuation) = AsyncStream<[Int]>.makeStream()
    let worker = RecordingWorker(gate: gate, delivered: continuation)
    let queues = SubmissionQueues(capacity: 5, batchLimit: 3, worker: worker)
    let room = RoomID(unchecked: "!a:test")
    var iterator = batches.makeAsyncIterator()
    #expect(queues.submit(0, room: room))
    #expect(await iterator.next() == [0])
    for job in 1...5 { #expect(queues.submit(job, room: room)) }
    #expect(!queues.submit(6, room: room))
    #expect(queues.submit(7, room: RoomID(unchecked: "!b:test")))
    #expect(await iterator.next() == [7])
    gate.open()
    #expect(await iterator.next() == [1, 2, 3])
    #expect(await iterator.next() == [4, 5])
  }

  @Test func whatIsPreparedMeanwhileGoesTogetherAndIsPreparedAnewAfterAFailure() async throws {
    let gate = Gate()
    let (batches, continuation) = AsyncStream<[Int]>.makeStream()
    let (prepared, preparations) = AsyncStream<RecordingWorker.Preparation>.makeStream()
    let worker = RecordingWorker(gate: gate, delivered: continuation, prepared: preparations, followed: 0, failing: 0)
    let queues = SubmissionQueues(worker: worker)
    let room = RoomID(unchecked: "!a:test")
    var deliveries = batches.makeAsyncIterator()
    var works = prepared.makeAsyncIterator()
    #expect(queues.submit(0, room: room))
    #expect(await works.next() == .init(jobs: [0]))
    #expect(await deliveries.next() == [0])
    #expect(queues.submit(1, room: room))
    #expect(await works.next() == .init(jobs: [1], underWay: [0]))
    #expect(queues.submit(2, room: room))
    #expect(await works.next() == .init(jobs: [2], batch: [1], underWay: [0]))
    gate.open()
    #expect(await works.next() == .init(jobs: [1, 2]))
    #expect(await deliveries.next() == [1, 2])
  }

  @Test func jobsOfManyRoomsAreDoneInFewGroupsAndThoseOfOneRoomInOrder() async throws {
    let gate = Gate()
    let (groups, continuation) = AsyncStream<[[Int]]>.makeStream()
    let lanes = PersistLanes<Int>(
      lanes: 1, largestGroup: 3,
      choose: { .init(count: 1, weight: 1, isSolitary: ($0.first ?? 0) < 0) },
      work: { group, _ in
        continuation.yield(group.map(\.jobs))
        await gate.wait()
      })
    func room(_ name: Text) -> RoomID { RoomID(unchecked: "!\(name):test") }
    var iterator = groups.makeAsyncIterator()
    lanes.add(0, room: room("a"))
    #expect(await iterator.next() == [[0]])
    lanes.add(1, room: room("a"))
    for (number, name) in [(2, "b"), (3, "c"), (4, "d"), (5, "e")] as [(Int, Text)] {
      lanes.add(number, room: room(name))
    }
    // What may take long delays only its own room.
    lanes.add(-1, room: room("f"))
    #expect(await iterator.next() == [[-1]])
    gate.open()
    #expect(await iterator.next() == [[2], [3], [4]])
    #expect(await iterator.next() == [[5], [1]])
  }

  @Test func releasedWorkLetsItsRoomGoOnAndStillCounts() async throws {
    let gate = Gate()
    let (groups, continuation) = AsyncStream<[[Int]]>.makeStream()
    let lanes = PersistLanes<Int>(
      lanes: 1, largestGroup: 1, choose: { _ in .init(count: 1, weight: 1) },
      work: { group, release in
        continuation.yield(group.map(\.jobs))
        release()
        release()
        await gate.wait()
      })
    let room = RoomID(unchecked: "!a:test")
    var iterator = groups.makeAsyncIterator()
    for number in 0..<3 { lanes.add(number, room: room) }
    // One lane has at most two groups under way: one at work, and one that waits for the disk.
    #expect(await iterator.next() == [[0]])
    #expect(await iterator.next() == [[1]])
    lanes.add(3, room: room)
    gate.open()
    #expect(await iterator.next() == [[2]])
    #expect(await iterator.next() == [[3]])
  }

  @Test func aBatchIsFollowedWhenItIsVisible() async throws {
    let gate = Gate()
    let (works, prepared) = AsyncStream<RecordingWorker.Preparation>.makeStream()
    let (deliveries, delivered) = AsyncStream<[Int]>.makeStream()
    let worker = RecordingWorker(gate: gate, delivered: delivered, prepared: prepared, isVisibleEarly: true)
    let queues = SubmissionQueues(worker: worker)
    let room = RoomID(unchecked: "!a:test")
    var (worksIterator, deliveriesIterator) = (works.makeAsyncIterator(), deliveries.makeAsyncIterator())
    #expect(queues.submit(0, room: room))
    #expect(await worksIterator.next() == .init(jobs: [0]))
    #expect(await deliveriesIterator.next() == [0])
    #expect(queues.submit(1, room: room))
    // The first delivery has not ended, but what follows neither waits for it nor is built upon it.
    #expect(await worksIterator.next() == .init(jobs: [1]))
    #expect(await deliveriesIterator.next() == [1])
    gate.open()
  }

  @Test func aFailedTransactionMayBeTriedAgainAndOldOnesAreForgotten() async throws {
    let register = TransactionRegister<EventID>(capacity: 2)
    func key(_ id: Text) -> TransactionRegister<EventID>.Key {
      TransactionRegister<EventID>.Key(
        userID: UserID(unchecked: "@a:test"), session: "d", roomID: RoomID(unchecked: "!r:test"), transactionID: id,
        path: .send("m.room.message"))
    }
    await #expect(throws: MatrixError.self) {
      _ = try await register.run(key("1")) { throw MatrixError.forbidden("no") }
    }
    let calls = Mutex(0)
    @Sendable func work() async throws -> EventID {
      EventID(unchecked: "$\(calls.withLock { $0 += 1; return $0 })")
    }
    #expect(try await register.run(key("1"), work).rawValue == "$1")
    #expect(try await register.run(key("1"), work).rawValue == "$1")
    _ = try await register.run(key("2"), work)
    _ = try await register.run(key("3"), work)
    #expect(try await register.run(key("1"), work).rawValue == "$4")
  }
}

/// A worker that delivers batches of numbers when a gate opens; what may be followed meanwhile and what fails is said
/// by a number.
private struct RecordingWorker: RoomBatchWorker {
  struct Preparation: Hashable {
    var jobs: [Int]
    var batch: [Int]?
    var underWay: [Int]?
  }

  let gate: Gate
  let delivered: AsyncStream<[Int]>.Continuation
  var prepared: AsyncStream<Preparation>.Continuation?
  var followed: Int?
  var failing: Int?
  var isVisibleEarly = false

  func prepare(_ jobs: [Int], for batch: [Int]?, after underWay: [Int]?, room: RoomID) async -> [Int]? {
    prepared?.yield(Preparation(jobs: jobs, batch: batch, underWay: underWay))
    return (batch ?? []) + jobs
  }
  func deliver(_ batch: [Int], room: RoomID, whenVisible: @escaping @Sendable () -> Void) async -> Bool {
    delivered.yield(batch)
    if isVisibleEarly { whenVisible() }
    await gate.wait()
    return failing.map { !batch.contains($0) } ?? true
  }

  func abandon(_ batch: [Int]) {}
  func mayGrow(_ batch: [Int]) -> Bool { batch.count < 3 }
  func mayBeFollowed(_ batch: [Int], room: RoomID) async -> Bool { followed.map { batch.contains($0) } ?? false }
  func jobs(of batch: [Int]) -> [Int] { batch }
}
