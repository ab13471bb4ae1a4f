import MatrixEvents
import MatrixPrimitives

extension EventStore {
  /// Reads the newest events of a room between two points without asking the database where they are.
  ///
  /// - Parameters:
  ///   - after: the point after which events count.
  ///   - upTo: the point up to which events count.
  ///   - limit: the greatest number of events, at least 1.
  /// - Returns: the events in the order of arrival; nil when memory does not reach back to `after`.
  public func recentEvents(
    roomID: RoomID, after: RoomStreamToken, upTo: RoomStreamToken, limit: Int
  ) async throws -> EventPage? {
    guard let entries = recent.rows(of: roomID, after: after.stream) else { return nil }
    let within = entries.filter {
      !after.position.covers($0.id, instance: $0.instanceName) && upTo.position.covers($0.id, instance: $0.instanceName)
    }
    let wanted = within.sorted { $0.id < $1.id }.suffix(limit).map(\.row)
    return EventPage(events: try await orderedEvents(wanted), isLimited: within.count > limit)
  }

  /// Reads the newest events of rooms up to a point, from memory where it holds enough; what it lacks is read in one statement and kept.
  ///
  /// - Parameter limit: the greatest number of events a room, at least 1.
  public func newestEvents(
    rooms: [RoomID], upTo: RoomStreamToken, limit: Int
  ) async throws -> [RoomID: EventPage] {
    var pages: [RoomID: (ids: [EventID], isLimited: Bool)] = [:]
    var missing: [RoomID] = []
    for room in rooms {
      if let known = recent.newest(of: room, count: limit, upTo: upTo.position) {
        pages[room] = (known.entries.map(\.row), known.hasOlder)
      } else {
        missing.append(room)
      }
    }
    let loaded = try await latestRows(
      rooms: missing, after: nil, upTo: upTo, limit: max(limit, Self.seededRows), condition: "")
    for room in missing {
      let (rows, isLimited) = loaded[room] ?? ([], false)
      recent.seed(room, rows, isWhole: !isLimited, asOf: upTo.stream)
      pages[room] = (rows.suffix(limit).map(\.row), isLimited || rows.count > limit)
    }
    let events = try await orderedEvents(pages.values.flatMap(\.ids))
    let byID = Dictionary(events.map { ($0.eventID, $0) }, uniquingKeysWith: { a, _ in a })
    return pages.mapValues { EventPage(events: $0.ids.compactMap { byID[$0] }, isLimited: $0.isLimited) }
  }

  /// The number of a room's rows that are read for memory: a timeline of usual length and as many again to come.
  private static let seededRows = 24

  /// Forgets which events came last, as after a purge.
  func forgetRecent() { recent.reset(floor: ids.currentToken) }
}
