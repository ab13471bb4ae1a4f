import Synchronization

/// Holds ids that are in flight, until ``finish()``; one that is dropped unfinished finishes itself.
public final class StreamIDReservation: Sendable {
  /// The ids, in the order in which they were handed out; negative and falling for a stream that runs backwards.
  public let ids: [Int64]
  private let onFinish: @Sendable () -> Void
  private let isFinished = Atomic<Bool>(false)

  init(ids: [Int64], onFinish: @escaping @Sendable () -> Void) {
    self.ids = ids
    self.onFinish = onFinish
  }

  deinit {
    // Otherwise the stream would stand still for ever.
    finish()
  }

  /// Lets positions pass the ids; to be called when the transaction with their rows has ended, committed or not. May be
  /// called more than once. Does not wait for the database.
  public func finish() {
    guard !isFinished.exchange(true, ordering: .acquiringAndReleasing) else { return }
    onFinish()
  }
}
