import Logging
import Stores

/// The removal of push actions whose events were not stored, on a process that writes events: once at
/// its start, for what its predecessor may have left, and whenever a transaction ends in doubt.
public final class PushActionOrphans: Sendable {
  private let store: PushActionOrphanStore
  private let logger: Logger
  private let requests: AsyncStream<Void>
  private let request: AsyncStream<Void>.Continuation

  init(store: PushActionOrphanStore, logger: Logger) {
    self.store = store
    self.logger = logger
    (requests, request) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Requests a search for orphans soon. May be called from anywhere.
  public func look() { request.yield() }

  /// Looks once and then whenever it is asked to, until cancelled.
  public func run() async {
    look()
    for await _ in requests { await clear() }
  }

  /// Looks until it has succeeded or is cancelled.
  private func clear() async {
    while !Task.isCancelled {
      do {
        let suspects = try await store.suspects()
        guard !suspects.streamOrderings.isEmpty else { return }
        if let count = try await store.remove(suspects) {
          guard count > 0 else { return }
          return logger.info("removed push actions of events that were not stored", metadata: ["rows": "\(count)"])
        }
      } catch is CancellationError {
        return
      } catch {
        logger.debug("could not look for orphaned push actions", metadata: ["error": "\(error)"])
      }
      try? await Task.sleep(for: .seconds(1))  // Cancelled: the loop ends.
    }
  }
}
