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
}
