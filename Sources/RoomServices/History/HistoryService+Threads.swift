import MatrixEvents
import MatrixPrimitives
import Stores

extension HistoryService {
  /// The place of a thread in its room's list.
  public typealias ThreadPlace = RelationStore.ThreadPlace

  /// A page of a room's threads.
  public struct ThreadPage: Sendable {
    /// The events with which the threads begin, with what is bundled with them.
    public let chunk: [ClientEvent]
    /// The place to go on from; nil when there are no more.
    public let next: ThreadPlace?
  }

  /// Reads a page of a room's threads as far as the user may see with what they begin, those with the newest events first.
  ///
  /// A page may have fewer threads than asked for, even none, and yet a next one: those that the user may not see or has not taken part in are
  /// left out of the page they are in (as on Synapse), so that no request walks all threads of a room.
  /// - Parameters:
  ///   - limit: the greatest number of threads, capped at ``greatestLimit``.
  ///   - onlyParticipated: whether only threads are wanted that the user has begun or written into.
  /// - Throws: `MatrixError` 403 when the user may not look into the room.
  public func threads(
    room: RoomID, before: ThreadPlace?, limit: Int, onlyParticipated: Bool, requester: Requester
  ) async throws -> ThreadPage {
    let right = try await access.right(of: requester.userID, in: room)
    let limit = min(max(limit, 1), Self.greatestLimit)
    let listed = try await stores.relations.threads(of: room, before: before, limit: limit + 1)
    let page = listed.prefix(limit)
    var roots = try await stores.events.orderedEvents(page.map(\.root)).filter { $0.roomID == room }
    if onlyParticipated {
      let begunByOthers = roots.filter { $0.sender != requester.userID }.map(\.eventID)
      let written = try await stores.relations.threads(begunByOthers, writtenIntoBy: requester.userID)
      roots = roots.filter { $0.sender == requester.userID || written.contains($0.eventID) }
    }
    let visible = try await visibility.visible(roots, to: requester.userID, with: right)
    return ThreadPage(
      chunk: try await clientEvents(visible, requester), next: listed.count > limit ? page.last?.place : nil)
  }
}
