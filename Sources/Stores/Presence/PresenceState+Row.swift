import MatrixPrimitives
import Replication

extension PresenceState {
  /// Returns the state as a row of the `presence` stream.
  public var row: PresenceRow {
    PresenceRow(
      userID: user, state: state.rawValue, lastActiveTS: lastActiveTS, lastFederationUpdateTS: lastFederationUpdateTS,
      lastUserSyncTS: lastUserSyncTS, statusMessage: statusMessage, isCurrentlyActive: isCurrentlyActive)
  }

  /// Reads a row of the `presence` stream; a state nobody knows counts as offline.
  public init(row: PresenceRow) {
    let name = row.state == "org.matrix.msc3026.busy" ? "busy" : row.state
    self.init(
      user: row.userID, state: Availability(rawValue: name) ?? .offline, lastActiveTS: row.lastActiveTS,
      lastFederationUpdateTS: row.lastFederationUpdateTS, lastUserSyncTS: row.lastUserSyncTS,
      statusMessage: row.statusMessage, isCurrentlyActive: row.isCurrentlyActive)
  }
}
