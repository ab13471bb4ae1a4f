import Synchronization

/// Ids of a stream at hand for its only writer, so that not each of its transactions has to wait for a round trip. Where there are
/// several writers nothing is kept: the others' readers would be held up by what is not used.
///
/// Ids at hand are in flight like those that were handed out: positions cannot pass them until they are used. That holds no reader of a single
/// writer up, since all the ids that they wait for are lower. A restart leaves a gap in the stream. Ids come in the order in which they
/// are taken, each higher than any that was handed out before, so all of a stream's have to be taken here.
public final class StreamIDStock: Sendable {
  private struct State {
    var stock: StreamIDReservation?
    /// The last id that was handed out; none below it may follow.
    var last: Int64 = .min
    var isFilling = false
  }

  /// The least number of ids that are asked for beforehand.
  private static let leastAtHand = 8

  private let generator: StreamIDGenerator
  private let isAlone: Bool
  private let state = Mutex(State())

  /// Makes an empty stock of a stream whose ids rise.
  public init(_ generator: StreamIDGenerator) {
    self.generator = generator
    isAlone = generator.writers == [generator.instanceName]
  }

  /// Takes ids, out of the stock if it has enough. The caller has to finish the reservation.
  ///
  /// - Parameter count: The number of ids, from 0 to ``StreamIDGenerator/largestCount``. As many are expected to be taken next.
  /// - Throws: `StreamIDError` when this process is not a writer or the count is out of range, or `PostgresError`.
  public func take(_ count: Int) async throws -> StreamIDReservation {
    guard isAlone, (1...StreamIDGenerator.largestCount).contains(count) else {
      return try await generator.allocate(count)
    }
    let further = min(max(count, Self.leastAtHand), StreamIDGenerator.largestCount / 2)
    let (ready, useless) = state.withLock { state -> (StreamIDReservation?, StreamIDReservation?) in
      guard let stock = state.stock else { return (nil, nil) }
      guard stock.ids.count >= count else {
        state.stock = nil
        return (nil, stock)
      }
      let (taken, rest) = stock.split(at: count)
      state.stock = rest.ids.isEmpty ? nil : rest
      state.last = taken.ids.last ?? state.last
      return (taken, nil)
    }
    useless?.finish()
    if let ready {
      fill(further)
      return ready
    }
    let (taken, rest) = try await generator.allocate(
      min(count + further, StreamIDGenerator.largestCount)
    ).split(at: count)
    keep(rest, after: taken.ids.last)
    return taken
  }

  /// Asks for ids beside what goes on, unless enough are at hand or under way.
  private func fill(_ wanted: Int) {
    let isNeeded = state.withLock { state in
      guard !state.isFilling, state.stock?.ids.count ?? 0 < wanted else { return false }
      state.isFilling = true
      return true
    }
    guard isNeeded else { return }
    Task {
      let more = try? await generator.allocate(wanted * 2)  // Who needs ids asks again, and hears what is wrong.
      state.withLock { $0.isFilling = false }
      if let more { keep(more, after: nil) }
    }
  }

  /// Puts ids into the stock in place of what is there, or gives up whichever came too late.
  ///
  /// - Parameter taken: the last of the ids that were handed out at the same time.
  private func keep(_ ids: StreamIDReservation, after taken: Int64?) {
    let useless = state.withLock { state -> [StreamIDReservation] in
      state.last = max(state.last, taken ?? .min)
      let offers = [state.stock, ids].compactMap { $0 }
      let usable = offers.filter { $0.ids.first ?? .min > state.last }
      // The later ids: what was taken may have left a few of the others.
      state.stock = usable.max { $0.ids.first ?? .min < $1.ids.first ?? .min }
      return offers.filter { [kept = state.stock] in $0 !== kept }
    }
    for item in useless { item.finish() }
  }
}
