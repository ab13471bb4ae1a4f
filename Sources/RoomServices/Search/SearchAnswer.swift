import MatrixPrimitives
import Stores

/// What a search found.
public struct SearchAnswer: Sendable {
  /// An event that was found.
  public struct Result: Sendable {
    /// How well it fits.
    public let rank: Double
    /// The event.
    public let event: ClientEvent
    /// What is around it; nil when that was not asked for.
    public var context: Context?
  }

  /// What is around an event.
  public struct Context: Sendable {
    /// The events before, nearest first.
    public let before: [ClientEvent]
    /// The events after, nearest first.
    public let after: [ClientEvent]
    /// The point before the first of them.
    public let start: Text
    /// The point behind the last of them.
    public let end: Text
    /// The senders as they were at the last event; nil when that was not asked for.
    public let profiles: [UserID: LocalUsers.Profile]?
  }

  /// The results of one room or sender.
  public struct Group: Sendable {
    /// The room or sender.
    public let key: Text
    /// The rank of the best one; nil in the order of time.
    public let order: Double?
    /// The token of the group's next page.
    public var next: Text?
    /// The events.
    public var results: [EventID]
  }

  /// The results, in their order.
  public var results: [Result] = []
  /// The number of events that fit, those included that are not shown.
  public var count: Int64 = 0
  /// The words by which the results were found.
  public var highlights: [Text] = []
  /// The state of the results' rooms; nil when that was not asked for.
  public var state: [RoomID: [ClientEvent]]?
  /// The results by room; nil when that was not asked for.
  public var rooms: [Group]?
  /// The results by sender; nil when that was not asked for.
  public var senders: [Group]?
  /// The token of the next page.
  public var next: Text?
}
