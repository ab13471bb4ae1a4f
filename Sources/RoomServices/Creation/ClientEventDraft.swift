import MatrixEvents
import MatrixPrimitives
import Stores

/// What a user asks to be sent into a room, before it has a place in the room's history.
public struct ClientEventDraft: Sendable {
  /// The room to send into.
  public let roomID: RoomID
  /// The event's type.
  public let type: Text
  /// The state key; nil for events that are no state.
  public let stateKey: Text?
  /// The event's content: always an object.
  public var content: JSON
  /// The client's transaction id, by which a repeated request is recognised.
  public var transactionID: Text?
  /// The operation that the request asked for; only with the same one is a repeated transaction id a repetition.
  public let path: TransactionPath
  /// The time to put into the event instead of now (application services may choose it).
  public let originServerTS: Int64?
  /// The name of the event among those that were to be sent later (MSC4140).
  public var delayID: Text?
  /// The event to redact, for `m.room.redaction`.
  public let redacts: EventID?

  /// Makes a draft.
  ///
  /// - Parameter path: what the request asked for; nil for sending or redacting, as type and target say.
  public init(
    roomID: RoomID, type: Text, stateKey: Text? = nil, content: JSON, transactionID: Text? = nil,
    originServerTS: Int64? = nil, redacts: EventID? = nil, path: TransactionPath? = nil
  ) {
    self.roomID = roomID
    self.type = type
    self.stateKey = stateKey
    self.content = content
    self.transactionID = transactionID
    self.originServerTS = originServerTS
    self.redacts = redacts
    let target = type == EventType.redaction ? redacts : nil
    self.path = path ?? target.map { .redact($0) } ?? .send(type)
  }
}
