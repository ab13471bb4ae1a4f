import MatrixPrimitives
import Testing

@Suite struct ServerClockTests {
  @Test func standsStillUntilItIsAdvanced() {
    let clock = ServerClock.test(startingAt: 1000)
    let copy = clock
    #expect(clock.nowMilliseconds == 1000)
    clock.advance(milliseconds: 250)
    #expect(copy.nowMilliseconds == 1250)
    clock.advance(milliseconds: .max)
    #expect(clock.nowMilliseconds == 1250)
  }

  @Test func setBackItStillMeasuresTime() {
    let clock = ServerClock.test(startingAt: 5000)
    let start = clock.monotonicMilliseconds
    clock.advance(milliseconds: -3000)
    #expect(clock.nowMilliseconds == 2000)
    #expect(clock.monotonicMilliseconds == start)
    clock.advance(milliseconds: 10)
    #expect(clock.monotonicMilliseconds == start + 10)
    let before = ServerClock.system.monotonicMilliseconds
    #expect(ServerClock.system.monotonicMilliseconds >= before)
  }

  @Test func tellsTheSystemsTime() {
    #expect(ServerClock.system.nowMilliseconds > 1_600_000_000_000)
  }

  @Test func makesRandomStringsOfTheAskedKind() {
    #expect(RandomString.letters(24).utf8.count == 24)
    #expect(RandomString.letters(200).unicodeScalars.allSatisfy { $0.properties.isAlphabetic && $0.isASCII })
    #expect(RandomString.alphanumeric(16) != RandomString.alphanumeric(16))
    #expect(RandomString.alphanumeric(-1).isEmpty)
  }
}
