import MatrixPrimitives

/// A version of a user's backup of room keys.
public struct KeyBackupVersion: Sendable {
  /// Its number.
  public let number: Int64
  /// How its keys are encrypted, such as `m.megolm_backup.v1.curve25519-aes-sha2`.
  public let algorithm: Text
  /// What clients say of the key of the backup, as JSON.
  public let authData: [UInt8]
  /// The state of its keys.
  public let contents: KeyBackupContents
}

/// The state of the keys in a backup, by which clients see that another one has changed it.
public struct KeyBackupContents: Sendable, Hashable {
  /// The number of changes.
  public let etag: Int64
  /// The number of sessions.
  public let count: Int64
}

/// The keys of one session of a room, encrypted.
public struct BackedUpSession: Sendable {
  /// The room; any text for the server.
  public let roomID: Text
  /// The session.
  public let sessionID: Text
  /// The index of the first message that can be decrypted.
  public let firstMessageIndex: Int32
  /// How often the session was passed on from device to device.
  public let forwardedCount: Int32
  /// Whether the device that it came from was verified.
  public let isVerified: Bool
  /// The encrypted keys, as JSON.
  public let data: [UInt8]

  /// Combines the values of a session.
  public init(
    roomID: Text, sessionID: Text, firstMessageIndex: Int32, forwardedCount: Int32, isVerified: Bool, data: [UInt8]
  ) {
    self.roomID = roomID
    self.sessionID = sessionID
    self.firstMessageIndex = firstMessageIndex
    self.forwardedCount = forwardedCount
    self.isVerified = isVerified
    self.data = data
  }
}
