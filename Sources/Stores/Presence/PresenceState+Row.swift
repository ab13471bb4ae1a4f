import MatrixPrimitives
import Replication

extension PresenceState {
  /// The state as a row of the `presence` stream.
  public var row: PresenceRow {
    PresenceRow(
      userID: user, state: state.rawValue, lastActiveTS: lastActiveTS, lastFederationUpdateTS: lastFederationUpdateTS,
      lastUserSyncTS: lastUserSyncTS, statusMessage: statusMessage, isCurrentlyActive: isCurrentlyActive)
  }

  /// Reads a row of the `presence` stream; an unknown state counts as offline.
  public init(row: PresenceRow) {
    let name = row.state == "org.matrix.msc3026.busy" ? "busy" : row.state
    self.init(
      user: row.userID, state: Availability(rawValue: name) ?? .offline, lastActiveTS: row.lastActiveTS,
      lastFederationUpdateTS: row.lastFederationUpdateTS, lastUserSyncTS: row.lastUserSyncTS,
      statusMessage: row.statusMessage, isCurrentlyActive: row.isCurrentlyActive)
  }
}
