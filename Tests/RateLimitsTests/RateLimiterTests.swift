import MatrixPrimitives
import ServerConfig
import Testing

@testable import RateLimits

@Suite("Rate limits")
struct RateLimiterTests {
  private let time = ServerClock.test()

  private func limiter(perSecond: Double, burst: Int) -> RateLimiter {
    RateLimiter(perSecond: perSecond, burst: burst, clock: time)
  }

  @Test("A burst is allowed, the next action is told when to come again")
  func burst() {
    let limiter = limiter(perSecond: 0.5, burst: 3)
    for _ in 0..<3 { #expect(throws: Never.self) { try limiter.check("a") } }
    let error = #expect(throws: MatrixError.self) { try limiter.check("a") }
    #expect(error?.status == 429)
    #expect(error?.errcode == "M_LIMIT_EXCEEDED")
    #expect(error?.retryAfterMilliseconds == 2000)
  }

  @Test("A key may have a limit of its own")
  func ownLimit() {
    let limiter = limiter(perSecond: 1, burst: 1)
    let own = RateLimit(perSecond: 0.5, burstCount: 2)
    for _ in 0..<2 { #expect(throws: Never.self) { try limiter.check("a", instead: own) } }
    let error = #expect(throws: MatrixError.self) { try limiter.check("a", instead: own) }
    #expect(error?.retryAfterMilliseconds == 2000)
    #expect(throws: Never.self) { try limiter.check("b") }
    #expect(throws: MatrixError.self) { try limiter.check("b") }
  }

  @Test("The bucket leaks with time")
  func leak() {
    let limiter = limiter(perSecond: 1, burst: 1)
    #expect(throws: Never.self) { try limiter.check("a") }
    #expect(throws: MatrixError.self) { try limiter.check("a") }
    time.advance(milliseconds: 1000)
    #expect(throws: Never.self) { try limiter.check("a") }
  }

  @Test("A refused action is not counted")
  func refusedIsFree() {
    let limiter = limiter(perSecond: 1, burst: 1)
    #expect(throws: Never.self) { try limiter.check("a") }
    for _ in 0..<50 { #expect(throws: MatrixError.self) { try limiter.check("a") } }
    time.advance(milliseconds: 1000)
    #expect(throws: Never.self) { try limiter.check("a") }
  }

  @Test("Keys do not touch each other, and asking without counting leaves room")
  func keys() {
    let limiter = limiter(perSecond: 1, burst: 1)
    #expect(throws: Never.self) { try limiter.check("a") }
    #expect(throws: Never.self) { try limiter.check("b", count: false) }
    #expect(throws: Never.self) { try limiter.check("b") }
    #expect(throws: MatrixError.self) { try limiter.check("b", count: false) }
  }

  @Test("An action that is given back leaves room for another")
  func givingBack() {
    let limiter = limiter(perSecond: 0, burst: 2)
    for _ in 0..<2 { #expect(throws: Never.self) { try limiter.check("a") } }
    limiter.giveBack("a")
    #expect(throws: Never.self) { try limiter.check("a") }
    #expect(throws: MatrixError.self) { try limiter.check("a") }
    limiter.giveBack("b")
    #expect(limiter.bucketCount == 1)
  }

  @Test("Many keys are bounded, and empty no full bucket")
  func manyKeys() {
    let limiter = limiter(perSecond: 0, burst: 3)
    for _ in 0..<3 { #expect(throws: Never.self) { try limiter.check("full") } }
    for number in 0..<(2 * RateLimiter.maximumBuckets) { try? limiter.check("key \(number)") }
    #expect(limiter.bucketCount <= RateLimiter.maximumBuckets)
    #expect(throws: MatrixError.self) { try limiter.check("full") }
  }

  @Test("A bucket leaks on while the wall clock is set back")
  func clockSetBack() {
    let limiter = limiter(perSecond: 1, burst: 1)
    #expect(throws: Never.self) { try limiter.check("a") }
    time.advance(milliseconds: -86_400_000)
    #expect(throws: MatrixError.self) { try limiter.check("a") }
    time.advance(milliseconds: 1000)
    #expect(throws: Never.self) { try limiter.check("a") }
  }

  @Test("A rate of zero allows the burst alone, a clock that goes back is survived")
  func edges() {
    let limiter = limiter(perSecond: 0, burst: 1)
    #expect(throws: Never.self) { try limiter.check("a") }
    time.advance(milliseconds: 1_000_000)
    #expect(throws: MatrixError.self) { try limiter.check("a") }
    time.advance(milliseconds: -2_000_000)
    #expect(throws: MatrixError.self) { try limiter.check("a") }
  }
}
