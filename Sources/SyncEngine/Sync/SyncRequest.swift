import MatrixEvents
import MatrixPrimitives
import Stores

/// The point of a room at which clients are given its state, and the name of the section.
public enum SyncStateForm: Text, Sendable, Hashable {
  /// Before the timeline: clients get to the present state by what the timeline shows.
  case before = "state"
  /// After the timeline, which changes nothing of it.
  case after = "state_after"
  /// The same under the name of MSC4222.
  case unstableAfter = "org.matrix.msc4222.state_after"

  var key: Text { rawValue }
  var isAfter: Bool { self != .before }
}

/// A request for `/sync` in decoded form. An object, since it is large and goes through many hands that wait for long.
public final class SyncRequest: Sendable {
  /// The requester.
  public let requester: Requester
  /// The token the client comes with; nil for an initial sync.
  public let since: StreamToken?
  /// The token `since` as the client wrote it.
  public let sinceText: Text?
  /// The filter.
  public let filter: SyncFilter
  /// The filter as the client wrote it: its number, or JSON.
  public let filterText: Text?
  /// The time to wait for news, in milliseconds, not negative.
  public let timeoutMilliseconds: Int64
  /// Whether the client wants the full state of all its rooms.
  public let wantsFullState: Bool
  /// The point at which the client wants the state of rooms.
  public let stateForm: SyncStateForm

  /// Makes a request.
  public init(
    requester: Requester, since: StreamToken?, sinceText: Text?, filter: SyncFilter, filterText: Text?,
    timeoutMilliseconds: Int64, wantsFullState: Bool, stateForm: SyncStateForm = .before
  ) {
    self.requester = requester
    self.since = since
    self.sinceText = sinceText
    self.filter = filter
    self.filterText = filterText
    self.timeoutMilliseconds = timeoutMilliseconds
    self.wantsFullState = wantsFullState
    self.stateForm = stateForm
  }

  /// Whether the client wants to wait when there is no news.
  var mayWait: Bool { since != nil && timeoutMilliseconds > 0 && !wantsFullState }

  /// What makes two requests the same, so that they may share an answer.
  struct Key: Hashable, Sendable {
    let user: UserID
    let device: Text?
    let since: Text?
    let filter: Text?
    let timeout: Int64
    let fullState: Bool
    let stateForm: SyncStateForm
    /// The version of the list of ignored users, which decides what initial syncs show.
    let ignoredList: Int64
  }

  func key(ignoredList: Int64) -> Key {
    Key(
      user: requester.userID, device: requester.deviceID, since: sinceText, filter: filterText,
      timeout: timeoutMilliseconds, fullState: wantsFullState, stateForm: stateForm,
      ignoredList: ignoredList)
  }
}
