import MatrixPrimitives
import SeededNumbers
import Stores
import Testing

@Suite struct StreamTokenTests {
  struct Names: InstanceDirectory {
    func instanceID(forName name: Text) async throws -> Int64 { name == "one" ? 1 : 2 }
    func instanceName(forID id: Int64) async throws -> Text? { [1: "one", 2: "two"][id] }
  }

  private func parse(_ text: Text) async throws -> StreamToken? {
    try await StreamToken.parse(text, directory: Names())
  }

  @Test(arguments: [
    "s10_7_0_2_4_2_2_4_0_1_2_1_1_1", "s2633508_17_338_6732159_1082514_541479_274711_265584_1_379_4242_4141_4343_4444",
    "t426-2633508_0_0_0_0_0_0_0_0_0_0_0_0_0", "t5--3_0_0_0_0_0_0_0_0_0_0_0_0_0",
    "m56~1.58~2.59_1_2_m3~2.4_5_6_7_m8~1.9_10_11_12_13_14_15",
  ])
  func tokensAreWrittenAsTheyWereRead(_ text: Text) async throws {
    let token = try #require(try await parse(text))
    #expect(try await token.text(directory: Names()) == text)
  }

  @Test func missingFieldsReadAsZero() async throws {
    let token = try #require(try await parse("s5_1"))
    #expect(token.room.stream == 5 && token.presence == 1 && token.profileUpdates == 0)
    #expect(try await token.text(directory: Names()) == "s5_1_0_0_0_0_0_0_0_0_0_0_0_0")
    #expect(try #require(try await parse("m5~_1")).room == RoomStreamToken(stream: 5), "an old fault of Synapse's")
  }

  @Test(arguments: [
    "", "_", "5", "s", "sx", "s1_", "s1_x", "s1__2", "s99999999999999999999", "s1_2_3_4_5_6_7_8_9_10_11_12_13_14_15",
    "t5", "t-5",
    "t5-", "m5~1", "m5~1.", "m5~9.6", "m5~1.5", "m5~1.4", "m~1.6", "s1_0_0_m5~1", "s1_0_0_-3", "s1_0_0_m-3",
    "s1_0_0_m-3~1.4", "s1_0_0_s3", "s 1",
    "s1_0x1",
    "s١", "\u{0}",
  ])
  func hostileTokensAreRefused(_ text: Text) async throws {
    #expect(try await parse(text) == nil)
  }

  @Test func truncatedAndRandomTokensNeverTrap() async throws {
    let whole = "m56~1.58~2.59_1_2_m3~2.4_5_6_7_m8~1.9_10_11_12_13_14_15"
    for length in 0..<whole.utf8.count { _ = try await parse(Text(whole.utf8.prefix(length))) }
    var generator = SeededRandom(42)
    let alphabet = Array("smt0123456789_~.-".utf8)
    for _ in 0..<5000 {
      let length = Int.random(in: 0..<40, using: &generator)
      let bytes = (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }
      let text = Text(decoding: bytes, as: UTF8.self)
      if let token = try await parse(text) {
        let written = try await token.text(directory: Names())
        #expect(try await parse(written) == token, "seed 42: \(text)")
      }
    }
  }

  @Test func vectorsAreComparedWriterByWriter() {
    let old = MultiWriterToken(stream: 5, ahead: ["a": 8, "b": 4])
    #expect(old.ahead == ["a": 8])
    #expect(old.covers(7, instance: "a") && !old.covers(7, instance: "b") && !old.covers(7, instance: nil))
    let new = MultiWriterToken(stream: 6, ahead: ["b": 9])
    #expect(!old.isBeforeOrEqual(new))
    #expect(old.isBeforeOrEqual(old.advanced(to: new)) && new.isBeforeOrEqual(old.advanced(to: new)))
    #expect(old.advanced(to: new) == MultiWriterToken(stream: 6, ahead: ["a": 8, "b": 9]))
    #expect(old.bounded(by: 6) == MultiWriterToken(stream: 5, ahead: ["a": 6]) && old.bounded(by: 3).maximum == 3)
  }

  @Test func recentRowsKnowWhereTheyEnd() {
    let rows = RecentRows<Int>(floor: 10, rowsPerRoom: 3, rooms: 4)
    let room = RoomID(unchecked: "!a:b")
    #expect(rows.rows(of: room, after: 9) == nil)
    #expect(rows.rows(of: room, after: 10)?.isEmpty == true)
    for id in 11...15 { rows.append(Int(id), id: Int64(id), instanceName: "w", room: room) }
    #expect(rows.rows(of: room, after: 12)?.map(\.row) == [13, 14, 15])
    #expect(rows.rows(of: room, after: 11) == nil)
    for number in 0..<10 {
      rows.append(number, id: Int64(20 + number), instanceName: "w", room: RoomID(unchecked: "!\(number):b"))
    }
    #expect(rows.rows(of: room, after: 14) == nil, "the oldest rooms were dropped")
    #expect(rows.rows(of: RoomID(unchecked: "!9:b"), after: 28)?.map(\.row) == [9])
  }

  @Test func recentRowsAreCompletedByWhatTheDatabaseHolds() {
    let rows = RecentRows<Int>(floor: 10, rowsPerRoom: 4, rooms: 4)
    let room = RoomID(unchecked: "!a:b")
    let token = { MultiWriterToken(stream: $0) }
    let stored = { (ids: ClosedRange<Int64>) in
      ids.map { RecentRows<Int>.Entry(id: $0, instanceName: "w", row: Int($0)) }
    }
    #expect(rows.newest(of: room, count: 2, upTo: token(10)) == nil)
    rows.append(12, id: 12, instanceName: "w", room: room)
    rows.seed(room, stored(8...9), isWhole: false, asOf: 9)
    #expect(rows.newest(of: room, count: 2, upTo: token(12)) == nil, "rows between 9 and 10 may be missing")
    rows.seed(room, stored(10...12), isWhole: false, asOf: 12)
    #expect(rows.newest(of: room, count: 2, upTo: token(12))?.entries.map(\.row) == [11, 12])
    #expect(rows.newest(of: room, count: 3, upTo: token(12)) == nil, "there may be older ones")
    rows.append(13, id: 13, instanceName: "w", room: room)
    #expect(rows.newest(of: room, count: 2, upTo: token(12))?.entries.map(\.row) == [11, 12])
    rows.append(14, id: 14, instanceName: "w", room: room)
    #expect(rows.newest(of: room, count: 3, upTo: token(14))?.entries.map(\.row) == [12, 13, 14])

    let small = RoomID(unchecked: "!small:b")
    rows.seed(small, stored(11...11), isWhole: true, asOf: 14)
    let all = rows.newest(of: small, count: 3, upTo: token(14))
    #expect(all?.entries.map(\.row) == [11] && all?.hasOlder == false)
    rows.noteOlder(in: small)
    #expect(rows.newest(of: small, count: 3, upTo: token(14)) == nil)
  }
}
