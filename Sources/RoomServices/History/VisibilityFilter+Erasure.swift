import MatrixPrimitives
import Stores

extension VisibilityFilter {
  /// Strips the events of senders who had their messages erased, where the reader was not in the room with them.
  ///
  /// Users who were joined at an event keep seeing it, as the specification wants for `erase` of `/account/deactivate`.
  func withoutErased(_ events: [VisibleEvent]) async throws -> [VisibleEvent] {
    let senders = Set(events.lazy.filter { $0.membership != "join" }.map(\.event.sender))
    guard !senders.isEmpty else { return events }
    let erased = try await deactivations.erased(among: senders)
    guard !erased.isEmpty else { return events }
    return try events.map { visible in
      guard visible.membership != "join", erased.contains(visible.event.sender) else { return visible }
      return VisibleEvent(event: try visible.event.stripped(), membership: visible.membership)
    }
  }
}
