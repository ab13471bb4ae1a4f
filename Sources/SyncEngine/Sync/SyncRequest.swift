import MatrixEvents
import MatrixPrimitives
import Stores

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

  /// Makes a request.
  public init(
    requester: Requester, since: StreamToken?, sinceText: Text?, filter: SyncFilter, filterText: Text?,
    timeoutMilliseconds: Int64, wantsFullState: Bool
  ) {
    self.requester = requester
    self.since = since
    self.sinceText = sinceText
    self.filter = filter
    self.filterText = filterText
    self.timeoutMilliseconds = timeoutMilliseconds
    self.wantsFullState = wantsFullState
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
    /// The version of the list of ignored users, which decides what initial syncs show.
    let ignoredList: Int64
  }

  func key(ignoredList: Int64) -> Key {
    Key(
      user: requester.userID, device: requester.deviceID, since: sinceText, filter: filterText,
      timeout: timeoutMilliseconds, fullState: wantsFullState, ignoredList: ignoredList)
  }
}
