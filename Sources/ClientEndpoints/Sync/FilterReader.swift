import MatrixPrimitives
import Stores
import SyncEngine
import Synchronization

/// Reads the filter of a sync request: the number of an uploaded one, or JSON. Validated filters are remembered, because clients
/// send the same text with every request.
final class FilterReader: Sendable {
  private let storage: UserStores
  private let timelineLimit: Int
  private let known = Mutex<[Text: SyncFilter]>([:])
  /// The longest text that is remembered, in bytes; longer ones are read anew each time.
  private static let longestRemembered = 4_096

  init(storage: UserStores, timelineLimit: Int) {
    self.storage = storage
    self.timelineLimit = timelineLimit
  }

  /// Returns the filter.
  ///
  /// - Throws: 400 `M_NOT_JSON` or `M_UNKNOWN` when JSON is malformed, `M_INVALID_PARAM` when there is no such filter.
  func filter(_ text: Text?, of user: UserID) async throws -> SyncFilter {
    guard let text, !text.isEmpty else { return .none }
    guard text.hasPrefix("{") else { return try await stored(text, of: user) }
    if let filter = known.withLock({ $0[text] }) { return filter }
    let json: JSONValue
    do { json = try JSONValue.parse(text) } catch { throw MatrixError.notJSON("Invalid filter JSON") }
    try SyncFilter.validate(json)
    let filter = SyncFilter(json, maximumTimelineLimit: timelineLimit)
    guard text.utf8.count <= Self.longestRemembered else { return filter }
    known.withLock { known in
      if known.count >= 1000 { known.removeAll(keepingCapacity: true) }
      known[text] = filter
    }
    return filter
  }

  private func stored(_ text: Text, of user: UserID) async throws -> SyncFilter {
    guard let id = Int64(text) else { throw MatrixError.invalidParam("Invalid filter ID") }
    guard let json = try await storage.filters.filter(id, of: user) else {
      throw MatrixError.invalidParam("No such filter")
    }
    return SyncFilter(json, maximumTimelineLimit: timelineLimit)
  }
}
