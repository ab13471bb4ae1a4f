import Stores

/// The presence of one device of a local user, in the memory of the presence writer.
struct DevicePresence: Sendable {
  var state: PresenceState.Availability = .offline
  var lastActiveTS: Int64 = 0
  var lastSyncTS: Int64 = 0

  /// Makes times that are later than `now` that time.
  mutating func takeBack(to now: Int64) {
    lastActiveTS = min(lastActiveTS, now)
    lastSyncTS = min(lastSyncTS, now)
  }

  /// Returns the state a user has with these devices: the most available one counts.
  static func combined(_ devices: some Sequence<DevicePresence>) -> PresenceState.Availability {
    devices.max { ($0.state.rank, $0.lastActiveTS) < ($1.state.rank, $1.lastActiveTS) }?.state ?? .offline
  }
}

extension PresenceState.Availability {
  /// The rank of the state by how available the user is.
  var rank: Int {
    switch self {
    case .offline: 1
    case .unavailable: 2
    case .online: 3
    case .busy: 4
    }
  }
}
