import MatrixPrimitives

/// A way in which a user's events are announced elsewhere: to a push gateway or by mail. Its app and its key are unique for its user.
public struct Pusher: Sendable {
  /// How it announces: `http`, `email`, or what this server does not know.
  public let kind: Text
  /// The app that is informed.
  public let appID: Text
  /// What the app, or the address of a mailbox, is known by.
  public let pushKey: Text
  /// The name of the app.
  public let appDisplayName: Text
  /// The name of the device.
  public let deviceDisplayName: Text
  /// Which of several sets of push rules it follows, in a draft of long ago.
  public let profileTag: Text
  /// The language of what it announces.
  public let language: Text?
  /// Settings of its kind, as JSON.
  public let data: [UInt8]
  /// Whether it announces anything (MSC3881).
  public let isEnabled: Bool
  /// The device that made it.
  public let deviceID: Text?

  /// Combines the values of a pusher.
  public init(
    kind: Text, appID: Text, pushKey: Text, appDisplayName: Text, deviceDisplayName: Text, profileTag: Text,
    language: Text?, data: [UInt8], isEnabled: Bool, deviceID: Text?
  ) {
    self.kind = kind
    self.appID = appID
    self.pushKey = pushKey
    self.appDisplayName = appDisplayName
    self.deviceDisplayName = deviceDisplayName
    self.profileTag = profileTag
    self.language = language
    self.data = data
    self.isEnabled = isEnabled
    self.deviceID = deviceID
  }
}
