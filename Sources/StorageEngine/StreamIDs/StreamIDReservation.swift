import Synchronization

/// Ids that are in flight, until ``finish()``; one that is dropped unfinished finishes itself.
public final class StreamIDReservation: Sendable {
  /// The ids, in the order in which they were handed out; negative and falling for a stream that runs backwards.
  public let ids: [Int64]
  private let onFinish: @Sendable ([Int64]) -> Void
  private let isFinished = Atomic<Bool>(false)

  init(ids: [Int64], onFinish: @escaping @Sendable ([Int64]) -> Void) {
    self.ids = ids
    self.onFinish = onFinish
  }

  deinit {
    // Otherwise the stream would never move again.
    finish()
  }

  /// Lets positions pass the ids; to be called when the transaction with their rows has ended, committed or not. May be
  /// called more than once. Does not wait for the database.
  public func finish() {
    guard !isFinished.exchange(true, ordering: .acquiringAndReleasing) else { return }
    onFinish(ids)
  }

  /// Parts the ids into the first ones and the others, each in flight for itself. This reservation is of no more use.
  ///
  /// - Parameter count: the number of the first ones; all when there are fewer.
  func split(at count: Int) -> (first: StreamIDReservation, rest: StreamIDReservation) {
    let isMine = !isFinished.exchange(true, ordering: .acquiringAndReleasing)
    let ids = isMine ? ids : []
    return (
      StreamIDReservation(ids: Array(ids.prefix(count)), onFinish: onFinish),
      StreamIDReservation(ids: Array(ids.dropFirst(count)), onFinish: onFinish)
    )
  }
}
