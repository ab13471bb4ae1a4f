import MatrixPrimitives

/// What is known of a user's presence: one row of `presence_stream`, one row of the `presence` stream.
public struct PresenceState: Sendable, Hashable {
  /// The states of the specification, and `busy` of MSC3026.
  public enum Availability: Text, Sendable {
    case online, unavailable, offline, busy
  }

  /// The user.
  public let user: UserID
  /// The state.
  public var state: Availability
  /// The time of the user's last activity, in milliseconds; 0 when never.
  public var lastActiveTS: Int64
  /// The time at which other servers were last informed, in milliseconds; 0 when never.
  public var lastFederationUpdateTS: Int64
  /// The time of the user's last sync, in milliseconds; 0 when never.
  public var lastUserSyncTS: Int64
  /// The user's status message.
  public var statusMessage: Text?
  /// Whether the user is active right now, which `online` clients are shown instead of a time.
  public var isCurrentlyActive: Bool

  /// Makes a state; the defaults are those of a user nothing is known of.
  public init(
    user: UserID, state: Availability = .offline, lastActiveTS: Int64 = 0, lastFederationUpdateTS: Int64 = 0,
    lastUserSyncTS: Int64 = 0, statusMessage: Text? = nil, isCurrentlyActive: Bool = false
  ) {
    self.user = user
    self.state = state
    self.lastActiveTS = lastActiveTS
    self.lastFederationUpdateTS = lastFederationUpdateTS
    self.lastUserSyncTS = lastUserSyncTS
    self.statusMessage = statusMessage
    self.isCurrentlyActive = isCurrentlyActive
  }

  /// Writes the content of an `m.presence` event as clients get it.
  ///
  /// - Parameters:
  ///   - now: the time that `last_active_ago` counts from, in milliseconds.
  ///   - includesUser: whether the content names the user, as in the endpoints that were before `/sync`.
  public func writeContent(to writer: inout JSONWriter, now: Int64, includesUser: Bool = false) {
    writer.beginObject()
    writer.member("presence", state.rawValue)
    if includesUser { writer.member("user_id", user) }
    if lastActiveTS > 0 { writer.member("last_active_ago", max(0, now - lastActiveTS)) }
    if let statusMessage, !statusMessage.isEmpty { writer.member("status_msg", statusMessage) }
    if state == .online { writer.member("currently_active", isCurrentlyActive) }
    writer.endObject()
  }
}
