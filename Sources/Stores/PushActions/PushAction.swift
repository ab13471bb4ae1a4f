import MatrixPrimitives

/// What the push rules of some users want done about one event: of most members of a room the same.
public struct PushAction: Sendable, Hashable {
  /// The users.
  public var userIDs: [UserID]
  /// The actions as in a push rule, tweaks included.
  public let actions: [JSON]
  /// Whether the event counts as a notification.
  public let notify: Bool
  /// Whether the event counts as a highlight.
  public let highlight: Bool
  /// Whether the event makes the room unread (MSC2654).
  public let unread: Bool
  /// The root of the thread, or `main`.
  public let threadID: Text

  /// Describes what is wanted.
  public init(
    userIDs: [UserID], actions: [JSON], notify: Bool, highlight: Bool, unread: Bool, threadID: Text = "main"
  ) {
    self.userIDs = userIDs
    self.actions = actions
    self.notify = notify
    self.highlight = highlight
    self.unread = unread
    self.threadID = threadID
  }

  private static let plainNotification: [JSON] = [
    "notify", .object(["set_tweak": "highlight", "value": .bool(false)]),
  ]
  private static let plainHighlight: [JSON] = [
    "notify", .object(["set_tweak": "sound", "value": "default"]), .object(["set_tweak": "highlight"]),
  ]

  /// The actions as the column holds them: JSON, or nothing for the two most common lists.
  public var stored: Text {
    if actions == (highlight ? Self.plainHighlight : Self.plainNotification) { return "" }
    return Text(decoding: JSON.array(actions).encoded, as: UTF8.self)
  }

  /// Reads the column `actions` back.
  ///
  /// - Throws: `JSONError` when the text is neither empty nor JSON.
  public static func actions(stored: Text, isHighlight: Bool) throws -> [JSON] {
    if stored.isEmpty { return isHighlight ? plainHighlight : plainNotification }
    return try JSONValue.parse(stored).json.elements ?? []
  }
}
