import MatrixEvents
import MatrixPrimitives
import Stores

/// Holds a request for `/sync` in decoded form. An object, since it is large and goes through many hands that wait for long.
public final class SyncRequest: Sendable {
  /// Holds who asks.
  public let requester: Requester
  /// Holds the token the client comes with; nil for an initial sync.
  public let since: StreamToken?
  /// Holds that token as the client wrote it.
  public let sinceText: Text?
  /// Holds the filter.
  public let filter: SyncFilter
  /// Holds the filter as the client wrote it: its number, or JSON.
  public let filterText: Text?
  /// Holds how long to wait for news, in milliseconds, not negative.
  public let timeoutMilliseconds: Int64
  /// Tells whether the client wants the full state of all its rooms.
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

  /// Tells whether the client wants to wait when there is no news.
  var mayWait: Bool { since != nil && timeoutMilliseconds > 0 && !wantsFullState }

  /// Holds what makes two requests the same, so that they may share an answer.
  struct Key: Hashable, Sendable {
    let user: UserID
    let device: Text?
    let since: Text?
    let filter: Text?
    let timeout: Int64
    let fullState: Bool
    /// Tells initial syncs apart by the list of ignored users, which decides what they show.
    let ignoredList: Int64
  }

  func key(ignoredList: Int64) -> Key {
    Key(
      user: requester.userID, device: requester.deviceID, since: sinceText, filter: filterText,
      timeout: timeoutMilliseconds, fullState: wantsFullState, ignoredList: ignoredList)
  }
}
