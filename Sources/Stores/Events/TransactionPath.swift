import MatrixEvents
import MatrixPrimitives

/// The operation that a request with a transaction id asks for, as the part of its path behind the room.
///
/// A request repeats an earlier one when id and path are the same (matrix-org/matrix-spec#1133). The table of transactions has no
/// column for the path, so that of a stored event is derived from the event.
public struct TransactionPath: Hashable, Sendable {
  /// The path's part between the room and the transaction id, such as `send/m.room.message`.
  public let text: Text

  private init(_ text: Text) {
    self.text = text
  }

  /// Returns the path on which an event of a type is sent.
  public static func send(_ type: Text) -> TransactionPath { TransactionPath("send/\(type)") }

  /// Returns the path on which an event is redacted.
  public static func redact(_ target: EventID) -> TransactionPath { TransactionPath("redact/\(target.rawValue)") }

  /// Returns the path of a change of membership.
  ///
  /// - Parameters:
  ///   - action: the name of the change in the path, such as `kick`.
  ///   - isOwn: whether the user changes their own membership; who kicks themself leaves.
  public static func membership(_ action: Text, isOwn: Bool) -> TransactionPath {
    TransactionPath(isOwn && action == "kick" ? "leave" : action)
  }

  /// Returns the path on which an event was sent.
  ///
  /// - Parameter wasBanned: whether the membership event replaced a ban; only ``needsPredecessor(_:)`` makes a difference.
  static func of(_ event: Event, wasBanned: Bool) -> TransactionPath {
    if event.type == EventType.redaction, let target = event.redacts { return redact(target) }
    guard event.isState, let membership = event.membership else { return send(event.type) }
    guard needsPredecessor(event) else { return TransactionPath(membership) }
    return TransactionPath(wasBanned ? "unban" : "kick")
  }

  /// Returns whether an event alone does not show on which path it was sent: removing somebody and taking back a ban
  /// look the same.
  static func needsPredecessor(_ event: Event) -> Bool {
    event.membership == "leave" && event.stateKey != event.sender.rawValue
  }

  /// Returns the name under which the transaction is stored when another path has taken the id itself.
  ///
  /// A client's id may happen to be the same text, so what is found under a name counts only if its path is this one.
  public func qualify(_ transactionID: Text) -> Text { "\(transactionID)\n\(text)" }
}
