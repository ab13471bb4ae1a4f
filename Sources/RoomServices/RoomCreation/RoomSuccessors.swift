import MatrixPrimitives
import Synchronization

/// Those who carry over what users have said of a room when another one takes its place.
public final class RoomSuccessors: Sendable {
  /// A closure that does so for users of this server.
  public typealias Carrier = @Sendable (_ old: RoomID, _ new: RoomID, _ users: [UserID]) async throws -> Void

  private let carriers = Mutex<[Carrier]>([])

  init() {}

  /// Adds one; before the first request.
  public func add(_ carrier: @escaping Carrier) { carriers.withLock { $0.append(carrier) } }

  func carry(from old: RoomID, to new: RoomID, users: [UserID]) async throws {
    for carrier in carriers.withLock({ $0 }) { try await carrier(old, new, users) }
  }
}
