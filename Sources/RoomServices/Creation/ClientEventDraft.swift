import MatrixEvents
import MatrixPrimitives

/// Holds what a user asks to be sent into a room, before it has a place in the room's history.
public struct ClientEventDraft: Sendable {
  /// Holds the room to send into.
  public let roomID: RoomID
  /// Holds the event's type.
  public let type: String
  /// Holds the state key; nil for events that are no state.
  public let stateKey: String?
  /// Holds the event's content: always an object.
  public var content: JSON
  /// Holds the client's transaction id, by which a repeated request is recognised.
  public let transactionID: String?
  /// Holds the time to put into the event instead of now (application services may choose it).
  public let originServerTS: Int64?
  /// Holds the event to redact, for `m.room.redaction`.
  public let redacts: EventID?

  /// Makes a draft.
  public init(
    roomID: RoomID, type: String, stateKey: String? = nil, content: JSON, transactionID: String? = nil,
    originServerTS: Int64? = nil, redacts: EventID? = nil
  ) {
    self.roomID = roomID
    self.type = type
    self.stateKey = stateKey
    self.content = content
    self.transactionID = transactionID
    self.originServerTS = originServerTS
    self.redacts = redacts
  }
}
