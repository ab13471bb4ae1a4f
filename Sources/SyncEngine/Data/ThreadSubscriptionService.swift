import MatrixEvents
import MatrixPrimitives
import RoomServices
import Stores

/// The threads that users follow (MSC4306), on a writer of the stream; listing them (MSC4308) on any process.
///
/// Everything is as if it did not exist unless `experimental_features: msc4306_enabled` is on.
public final class ThreadSubscriptionService: Sendable {
  /// A subscription, or its end.
  public typealias Change = ThreadSubscriptionStore.Change

  /// A page of a user's subscriptions.
  public struct Page: Sendable {
    /// Subscriptions and ends of subscriptions, those that changed first come first.
    public let changes: [Change]
    /// The position up to which older ones are found; nil when there are none.
    public let end: Int64?
  }

  /// The greatest number of subscriptions in one answer, as on Synapse.
  private static let greatestLimit = 512

  private let store: ThreadSubscriptionStore
  private let history: HistoryService
  /// Whether users can follow threads (`experimental_features: msc4306_enabled`).
  public let isEnabled: Bool

  init(store: ThreadSubscriptionStore, history: HistoryService, isEnabled: Bool) {
    self.store = store
    self.history = history
    self.isEnabled = isEnabled
  }

  /// Returns whether a user's subscription of a thread is an automatic one.
  ///
  /// - Throws: `MatrixError` 404 when the user may not see the event with which the thread begins, or is not subscribed.
  public func isAutomatic(_ requester: Requester, room: RoomID, root: EventID) async throws -> Bool {
    _ = try await seen(root, room, requester, else: "No such thread root")
    guard let isAutomatic = try await store.isAutomatic(requester.userID, room, root) else {
      throw MatrixError.notFound("Not subscribed.")
    }
    return isAutomatic
  }

  /// Subscribes a user to a thread.
  ///
  /// - Parameter cause: the event because of which the client subscribes by itself; nil for the user's own wish.
  /// - Throws: `MatrixError` 404 when the user may not see the events, 400 when the cause is not in the thread, 409 when the user has ended a
  ///   subscription after it.
  public func subscribe(_ requester: Requester, room: RoomID, root: EventID, cause: EventID?) async throws {
    _ = try await seen(root, room, requester, else: "No such thread root")
    var place: ThreadSubscriptionStore.Place?
    if let cause {
      let event = try await seen(cause, room, requester, else: "Automatic subscription event not found")
      let relation = EventRelation(event.content)
      guard relation?.type == EventRelation.Kind.thread, relation?.parentID == root else {
        throw MatrixError(.notInThread, "Automatic subscription must use an event in the thread")
      }
      place = .init(stream: event.streamOrdering, topological: event.depth)
    }
    guard try await store.subscribe(requester.userID, room, root, cause: place) != .overtaken else {
      throw MatrixError(
        .conflictingUnsubscription, "Automatic subscription obsoleted by an unsubscription request.")
    }
  }

  /// Ends a user's subscription of a thread; that there is none is no error.
  ///
  /// - Throws: `MatrixError` 404 when the user may not see the event with which the thread begins.
  public func unsubscribe(_ requester: Requester, room: RoomID, root: EventID) async throws {
    _ = try await seen(root, room, requester, else: "No such thread root")
    try await store.unsubscribe(requester.userID, room, root)
  }

  /// Reads a page of a user's subscriptions, from the newest change backwards.
  ///
  /// - Parameters:
  ///   - after: the position at which the list ends.
  ///   - upTo: the position at which it begins; nil for the newest.
  ///   - limit: the greatest number, at least 1; capped at 512.
  public func changes(of user: UserID, after: Int64, upTo: Int64?, limit: Int) async throws -> Page {
    guard limit > 0 else { throw MatrixError.invalidParam("limit must be greater than 0") }
    let limit = min(limit, Self.greatestLimit)
    let changes = try await store.changes(of: user, after: after, upTo: upTo, limit: limit)
    return Page(changes: changes, end: changes.count == limit ? changes.first.map { $0.streamID - 1 } : nil)
  }

  private func seen(
    _ id: EventID, _ room: RoomID, _ requester: Requester, else refusal: Text
  ) async throws -> StoredEvent {
    do { return try await history.event(id, room: room, requester: requester).stored } catch let error as MatrixError
      where error.status == 404 || error.status == 403
    { throw MatrixError.notFound(refusal) }
  }
}
