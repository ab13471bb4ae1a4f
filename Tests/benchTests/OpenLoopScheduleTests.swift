import Testing

@testable import bench

@Suite("Open-loop schedule")
struct OpenLoopScheduleTests {
  @Test("Requests are due at even distances from the start")
  func even() {
    let schedule = OpenLoopSchedule(rate: 200, start: 1_000)
    #expect(schedule.due(0) == 1_000)
    #expect(schedule.due(1) == 5_001_000)
    #expect(schedule.due(200) == 1_000_001_000)
  }

  @Test("A moment counts all requests up to it", arguments: [0.5, 3, 40, 333, 12_345.6, 1_000_000])
  func counts(rate: Double) {
    let schedule = OpenLoopSchedule(rate: rate, start: 77)
    for number in [0, 1, 2, 9, 1000] {
      let due = schedule.due(number)
      #expect(schedule.count(at: due) == number + 1)
      #expect(schedule.count(at: due - 1) == number)
    }
  }

  @Test("Nothing is due before the start")
  func before() {
    #expect(OpenLoopSchedule(rate: 10, start: 100).count(at: 99) == 0)
  }

  @Test("A pause of the generator leaves no request out")
  func pause() {
    let schedule = OpenLoopSchedule(rate: 1000, start: 0)
    #expect(schedule.count(at: 5_000_000_000) == 5001)
  }
}
