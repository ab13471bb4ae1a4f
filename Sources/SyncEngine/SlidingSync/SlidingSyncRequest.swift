import Collections
import MatrixPrimitives
import Stores

/// A request for a sliding sync in decoded form. An object, since it is large and waits for long.
public final class SlidingSyncRequest: Sendable {
  /// The requester.
  public let requester: Requester
  /// The token the client comes with; nil for a connection that begins.
  public let from: SlidingToken?
  /// The time to wait for news, in milliseconds, not negative.
  public let timeoutMilliseconds: Int64
  /// What the client wants.
  public let body: SlidingSyncBody

  /// Makes a request.
  public init(requester: Requester, from: SlidingToken?, timeoutMilliseconds: Int64, body: SlidingSyncBody) {
    self.requester = requester
    self.from = from
    self.timeoutMilliseconds = timeoutMilliseconds
    self.body = body
  }

  /// Whether the client wants to wait when there is no news.
  var mayWait: Bool { from != nil && timeoutMilliseconds > 0 }

  /// The connection's name.
  var connection: SlidingConnection.Key {
    SlidingConnection.Key(user: requester.userID, device: requester.deviceID ?? "", name: body.connection)
  }
}

/// The body of a request for a sliding sync.
public struct SlidingSyncBody: Sendable {
  /// A list: a window on the user's rooms, newest first.
  struct List: Sendable {
    /// What is wanted of the rooms in the window.
    var config: SlidingRoomConfig
    /// The places in the list that the client looks at; empty for none.
    var ranges: [Range] = []
    /// Which rooms are in the list.
    var filters = SlidingListFilters()
  }

  /// A range of places, both ends included.
  struct Range: Sendable {
    let first: Int64
    let last: Int64
  }

  /// For which rooms an extension is wanted.
  struct Scope: Sendable {
    /// Names of lists, `*` for all of them; nil for none.
    var lists: [Text]? = ["*"]
    /// Rooms, `*` for all in the answer; nil for none.
    var rooms: [Text]? = ["*"]
  }

  /// What is wanted beside rooms; nil for what is not.
  struct Extensions: Sendable {
    var toDevice: ToDevice?
    var wantsKeys = false
    var accountData: Scope?
    var receipts: Scope?
    var typing: Scope?
    /// The greatest number of changes of subscriptions to threads.
    var threadSubscriptions: Int?
  }

  /// How messages for the device are wanted.
  struct ToDevice: Sendable {
    var limit = 100
    /// The position up to which the device has got its messages.
    var since: Int64?
  }

  /// The name of the connection; empty when the client does not give it one.
  var connection: Text = ""
  /// The lists by name, in the order of the request.
  var lists: OrderedDictionary<Text, List> = [:]
  /// What is wanted of single rooms.
  var subscriptions: OrderedDictionary<RoomID, SlidingRoomConfig> = [:]
  /// What is wanted beside rooms.
  var extensions = Extensions()

  /// Whether the request is about rooms at all.
  var wantsRooms: Bool { !lists.isEmpty || !subscriptions.isEmpty }
}

/// The rooms that are in a list: those that fulfil all conditions; a nil condition is none.
struct SlidingListFilters: Sendable {
  var isDirect: Bool?
  var spaces: [Text]?
  var isEncrypted: Bool?
  var isInvite: Bool?
  var types: [Text?]?
  var excludedTypes: [Text?]?
  var nameContains: Text?
  var tags: [Text]?
  var excludedTags: [Text]?

  /// Whether what is known of the rooms themselves is looked at.
  var looksAtRooms: Bool { isEncrypted != nil || types != nil || excludedTypes != nil || nameContains != nil }
}
