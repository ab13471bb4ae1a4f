import MatrixPrimitives
import ServerConfig
import Synchronization

/// A limiter that counts actions by key and refuses those that come too fast: a leaky bucket used as a meter.
///
/// Time is counted by a clock that never goes back, so setting the system's clock neither freezes nor empties a bucket.
/// Each key's bucket holds at most `burst` actions and leaks `perSecond` of them. Only buckets that are not empty take
/// memory; they are swept as calls come in, and of ``maximumBuckets`` the emptier half goes: who comes with many keys neither grows the
/// table indefinitely nor empties a bucket that is full.
public final class RateLimiter: Sendable {
  private struct Bucket {
    var level: Double
    var updatedMilliseconds: Int64
  }

  private struct State {
    var buckets: [Text: Bucket] = [:]
    var nextSweepMilliseconds: Int64 = 0
  }

  static let maximumBuckets = 100_000

  private let perSecond: Double
  private let burst: Double
  private let clock: ServerClock
  private let state = Mutex(State())

  /// Makes a limiter.
  ///
  /// - Parameters:
  ///   - perSecond: how many actions a second are allowed for long; zero or less allows the burst alone.
  ///   - burst: how many actions may come at once, at least one.
  public convenience init(perSecond: Double, burst: Int, clock: ServerClock) {
    self.init(perSecond: perSecond, burst: Double(burst), clock: clock)
  }

  /// Makes a limiter from a setting `rc_…`.
  ///
  /// - Parameter times: how much more than the setting says is allowed.
  public convenience init(_ limit: RateLimit, times: Double = 1, clock: ServerClock) {
    self.init(perSecond: limit.perSecond * times, burst: Double(limit.burstCount) * times, clock: clock)
  }

  private init(perSecond: Double, burst: Double, clock: ServerClock) {
    self.perSecond = perSecond
    self.burst = burst
    self.clock = clock
  }

  /// Counts an action, or refuses it.
  ///
  /// - Parameters:
  ///   - key: what is limited, such as a user ID or an address.
  ///   - count: false to ask only whether there would be room.
  ///   - times: how many actions, at least one; all or none are allowed.
  ///   - own: a limit of this key's own, which replaces that of all others.
  /// - Throws: `MatrixError` 429 `M_LIMIT_EXCEEDED` with the time until the next action is allowed; a refused action
  ///   is not counted.
  public func check(
    _ key: Text, count: Bool = true, times: Int = 1, instead own: RateLimit? = nil
  ) throws(MatrixError) {
    let (perSecond, burst) = own.map { ($0.perSecond, Double($0.burstCount)) } ?? (perSecond, burst)
    let actions = Double(max(1, times))
    let now = clock.monotonicMilliseconds
    let wait: Double? = state.withLock { state in
      sweep(&state, now: now)
      let level = current(state.buckets[key], now: now, perSecond)
      if level + actions > burst {
        return perSecond > 0 ? (level + actions - burst) / perSecond * 1000 : 86_400_000
      }
      if count {
        makeRoom(&state, now: now)
        state.buckets[key] = Bucket(level: level + actions, updatedMilliseconds: now)
      }
      return nil
    }
    if let wait {
      throw MatrixError.limitExceeded(retryAfterMilliseconds: Int64(min(max(wait.rounded(.up), 1), 86_400_000)))
    }
  }

  /// Counts an action that has happened, whether or not there was room for it.
  public func count(_ key: Text) {
    let now = clock.monotonicMilliseconds
    state.withLock { state in
      sweep(&state, now: now)
      makeRoom(&state, now: now)
      state.buckets[key] = Bucket(level: current(state.buckets[key], now: now) + 1, updatedMilliseconds: now)
    }
  }

  /// Takes back one counted action: of those that count only when they fail, each is counted before it is begun.
  public func giveBack(_ key: Text) {
    let now = clock.monotonicMilliseconds
    state.withLock { state in
      let level = current(state.buckets[key], now: now) - 1
      state.buckets[key] = level > 0 ? Bucket(level: level, updatedMilliseconds: now) : nil
    }
  }

  /// The number of buckets that are kept.
  var bucketCount: Int { state.withLock { $0.buckets.count } }

  private func makeRoom(_ state: inout State, now: Int64) {
    guard state.buckets.count >= Self.maximumBuckets else { return }
    let byLevel = state.buckets.map { (key: $0.key, level: current($0.value, now: now)) }.sorted { $0.level > $1.level }
    for (key, _) in byLevel.dropFirst(Self.maximumBuckets / 2) { state.buckets[key] = nil }
  }

  private func current(_ bucket: Bucket?, now: Int64, _ ownRate: Double? = nil) -> Double {
    guard let bucket else { return 0 }
    let perSecond = ownRate ?? perSecond
    let seconds = Double(max(0, now - bucket.updatedMilliseconds)) / 1000
    return max(0, bucket.level - seconds * max(0, perSecond))
  }

  private func sweep(_ state: inout State, now: Int64) {
    guard now >= state.nextSweepMilliseconds else { return }
    state.nextSweepMilliseconds = now + 15_000
    state.buckets = state.buckets.filter { current($0.value, now: now) > 0 }
  }
}
