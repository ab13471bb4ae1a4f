import Logging
import MatrixPrimitives
import NIOCore
import Synchronization

/// The answers of replication endpoints by transaction id, so that a repeated call is not carried out twice.
///
/// A repeat that arrives while the first call is running waits for its result. The work goes on when the caller hangs up.
/// Answers and Matrix errors are kept for 30 minutes; as Synapse does, other arguments under the same transaction id get
/// the old answer.
public final class ReplicationResponseCache: Sendable {
  private typealias Work = Task<[UInt8], any Error>

  private struct Key: Hashable {
    let endpoint: Text
    let transactionID: Text
  }

  private struct State {
    var works: [Key: Work] = [:]
    var finished = CircularBuffer<(key: Key, size: Int, expiry: Int64)>()
    var bytes = 0
  }

  private let lifetimeMilliseconds: Int64
  private let byteLimit: Int
  private let clock: ServerClock
  private let state = Mutex(State())

  /// Makes an empty cache.
  /// - Parameters:
  ///   - clock: decides when answers expire.
  ///   - lifetimeMilliseconds: how long answers are kept.
  ///   - byteLimit: bytes of answers kept; the oldest go first.
  public init(clock: ServerClock, lifetimeMilliseconds: Int64 = 1_800_000, byteLimit: Int = 64 << 20) {
    self.clock = clock
    self.lifetimeMilliseconds = lifetimeMilliseconds
    self.byteLimit = byteLimit
  }

  /// Returns the kept answer, joins the running call, or carries the call out.
  /// - Parameters:
  ///   - endpoint: name of the endpoint.
  ///   - transactionID: last segment of the request's path.
  ///   - compute: carries the call out and gives the answer's bytes.
  /// - Returns: bytes of the answer.
  /// - Throws: what `compute` threw; a `MatrixError` is kept like an answer.
  public func response(
    endpoint: Text, transactionID: Text, compute: @escaping @Sendable () async throws -> [UInt8]
  ) async throws -> [UInt8] {
    let key = Key(endpoint: endpoint, transactionID: transactionID)
    let work = state.withLock { state in
      expire(&state)
      if let work = state.works[key] { return work }
      // A task of its own: the first caller may give up and come back with the same transaction id.
      let work = Work {
        do {
          let answer = try await compute()
          self.keep(key, size: answer.count)
          return answer
        } catch let error as MatrixError {
          self.keep(key, size: error.message.utf8.count)
          throw error
        } catch {
          self.forget(key)
          throw error
        }
      }
      state.works[key] = work
      return work
    }
    return try await work.value
  }

  /// The number of calls that are running or kept.
  public var count: Int { state.withLock(\.works.count) }

  private func keep(_ key: Key, size: Int) {
    let expiry = clock.monotonicMilliseconds + lifetimeMilliseconds
    let size = size + 256  // Key, task and bookkeeping.
    state.withLock { state in
      state.finished.append((key, size, expiry))
      state.bytes += size
      expire(&state)
    }
  }

  private func forget(_ key: Key) { state.withLock { _ = $0.works.removeValue(forKey: key) } }

  private func expire(_ state: inout State) {
    let now = clock.monotonicMilliseconds
    while let oldest = state.finished.first, oldest.expiry <= now || state.bytes > byteLimit {
      state.finished.removeFirst()
      state.bytes -= oldest.size
      state.works[oldest.key] = nil
    }
  }
}
