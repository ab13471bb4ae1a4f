import MatrixEvents
import MatrixPrimitives
import Stores
import Synchronization

/// The filters of clients: those that they upload, and those that requests name or bring along.
public final class FilterService: Sendable {
  private let store: FilterStore
  private let timelineLimit: Int
  /// Filters that came as text, because clients send the same one with every request.
  private let known = Mutex<[Text: SyncFilter]>([:])
  /// The longest text that is remembered, in bytes; longer ones are read anew each time.
  private static let longestRemembered = 4_096
  private static let mostRemembered = 1_000

  /// - Parameter timelineLimit: `filter_timeline_limit`; negative for no limit.
  init(store: FilterStore, timelineLimit: Int) {
    self.store = store
    self.timelineLimit = timelineLimit
  }

  /// Returns the filter of a sync request.
  ///
  /// - Parameter text: the number of an uploaded filter, or JSON; nil or empty for none.
  /// - Throws: 400 `M_INVALID_PARAM` when the user has no filter of that number, else what
  ///   ``SyncFilter/init(text:maximumTimelineLimit:)`` throws.
  public func filter(_ text: Text?, of user: UserID) async throws -> SyncFilter {
    guard let text, !text.isEmpty else { return .none }
    guard text.hasPrefix("{") else { return try await uploaded(text, of: user) }
    if let filter = known.withLock({ $0[text] }) { return filter }
    let filter = try SyncFilter(text: text, maximumTimelineLimit: timelineLimit)
    guard text.utf8.count <= Self.longestRemembered else { return filter }
    known.withLock { known in
      if known.count >= Self.mostRemembered { known.removeAll(keepingCapacity: true) }
      known[text] = filter
    }
    return filter
  }

  private func uploaded(_ text: Text, of user: UserID) async throws -> SyncFilter {
    guard let id = Int64(text) else { throw MatrixError.invalidParam("Invalid filter ID") }
    guard let json = try await store.filter(id, of: user) else { throw MatrixError.invalidParam("No such filter") }
    return SyncFilter(stored: json, maximumTimelineLimit: timelineLimit)
  }

  /// Stores a filter and returns its number; equal filters of a user have one number.
  ///
  /// - Throws: what ``SyncFilter/validate(_:)`` throws; 400 when the user has too many filters.
  public func upload(_ filter: JSONValue, for user: UserID) async throws -> Int64 {
    try SyncFilter.validate(filter)
    return try await store.add(try limited(filter), for: user)
  }

  /// Returns an uploaded filter in the form in which it applies.
  ///
  /// - Throws: 404 `M_NOT_FOUND` when the user has no filter of that number.
  public func uploaded(_ id: Int64, of user: UserID) async throws -> JSONValue {
    guard let filter = try await store.filter(id, of: user) else { throw MatrixError.notFound("No such filter") }
    return filter
  }

  /// Cuts the timeline's limit to what the server allows, so that the client can read what will apply.
  private func limited(_ filter: JSONValue) throws -> JSONValue {
    guard timelineLimit >= 0, let limit = filter["room"]?["timeline"]?["limit"]?.double, limit > Double(timelineLimit),
      var top = filter.json.members, var room = top["room"]?.members, var timeline = room["timeline"]?.members
    else { return filter }
    timeline["limit"] = .integer(Int64(timelineLimit))
    room["timeline"] = .object(timeline)
    top["room"] = .object(room)
    return try JSON.object(top).document()
  }
}
