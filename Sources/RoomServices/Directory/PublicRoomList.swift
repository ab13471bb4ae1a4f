import MatrixPrimitives
import Stores

/// A page of the list of published rooms.
public struct PublicRoomPage: Sendable {
  /// The rooms of the page, in its order.
  public let chunk: [PublicRoomStore.Entry]
  /// The token of the next page; nil on the last.
  public let nextBatch: Text?
  /// The token of the page before; nil on the first.
  public let previousBatch: Text?
  /// The number of rooms that match.
  public let total: Int64
}

extension DirectoryService {
  /// The greatest number of rooms on one page.
  static let greatestPage = 100

  /// Reads a page of the published rooms of this server, those with most members first.
  ///
  /// - Parameters:
  ///   - searchTerm: text that name, topic or alias must contain.
  ///   - roomTypes: the types of rooms, nil for the one without a type; nil for all.
  ///   - network: the list to read.
  ///   - limit: the number of rooms; nil for the greatest page.
  ///   - since: a token of an earlier page.
  /// - Throws: `MatrixError` 400 for tokens that are none.
  public func publicRooms(
    searchTerm: Text? = nil, roomTypes: [Text?]? = nil, network: PublicRoomStore.Network = .main, limit: Int?,
    since: Text?
  ) async throws -> PublicRoomPage {
    guard config.rooms.allowsListSearch else {
      return PublicRoomPage(chunk: [], nextBatch: nil, previousBatch: nil, total: 0)
    }
    let position = try since.map(ListPosition.init)
    let forwards = position?.isForward ?? true
    let count = min(max(limit ?? Self.greatestPage, 1), Self.greatestPage)
    let page = try await stores.publicRooms.page(
      filter: PublicRoomStore.Filter(searchTerm: searchTerm, roomTypes: roomTypes, network: network), limit: count + 1,
      bound: position?.bound, forwards: forwards)
    var rooms = page.entries
    let hasMore = rooms.count > count
    if hasMore, forwards { rooms.removeLast() }
    if hasMore, !forwards { rooms.removeFirst() }
    var next: Text?
    var previous: Text?
    if let last = rooms.last, forwards ? hasMore : true { next = ListPosition(last, isForward: true).text }
    if forwards, position != nil {
      previous = rooms.first.map { ListPosition($0, isForward: false).text } ?? ListPosition.end.text
    } else if !forwards, hasMore, let first = rooms.first {
      previous = ListPosition(first, isForward: false).text
    }
    return PublicRoomPage(chunk: rooms, nextBatch: next, previousBatch: previous, total: page.total)
  }
}

/// One of the lists of published rooms.
public typealias PublicRoomList = PublicRoomStore.Network
