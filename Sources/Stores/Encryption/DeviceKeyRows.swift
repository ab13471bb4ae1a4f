import MatrixPrimitives

/// Keys that a device publishes, as they are stored.
public struct DeviceKeyRows: Sendable {
  /// A key that other devices begin a session with.
  public struct Key: Sendable {
    /// The algorithm, such as `signed_curve25519`.
    public let algorithm: Text
    /// What follows the algorithm in the key's name.
    public let id: Text
    /// The key as canonical JSON.
    public let json: Text

    /// Collects the columns of a key.
    public init(algorithm: Text, id: Text, json: Text) {
      self.algorithm = algorithm
      self.id = id
      self.json = json
    }

    /// The key's full name.
    var name: Text { "\(algorithm):\(id)" }
  }

  /// The identity keys as canonical JSON; nil to leave them as they are.
  public var identityKeys: Text?
  /// Keys of which each is handed out once.
  public var oneTimeKeys: [Key]
  /// Keys that are handed out when no other is left, one for each algorithm.
  public var fallbackKeys: [Key]

  /// Collects the keys of an upload.
  public init(identityKeys: Text? = nil, oneTimeKeys: [Key] = [], fallbackKeys: [Key] = []) {
    self.identityKeys = identityKeys
    self.oneTimeKeys = oneTimeKeys
    self.fallbackKeys = fallbackKeys
  }
}

/// The result of an upload of keys.
public struct DeviceKeyOutcome: Sendable {
  /// Whether others have to look at the device again.
  public let isDeviceChanged: Bool
  /// The number of one-time keys that are there now, by algorithm; `signed_curve25519` is always there.
  public let oneTimeKeyCounts: [Text: Int]
  /// Why one-time and fallback keys were not stored; nil when they were.
  public let refusal: MatrixError?
}

/// A wish for one-time keys of a device.
public struct KeyClaim: Hashable, Sendable {
  /// The owner of the device.
  public let user: UserID
  /// The device.
  public let device: Text
  /// The algorithm, such as `signed_curve25519`.
  public let algorithm: Text
  /// The greatest number of keys.
  public let count: Int

  /// Makes a wish.
  public init(user: UserID, device: Text, algorithm: Text, count: Int = 1) {
    self.user = user
    self.device = device
    self.algorithm = algorithm
    self.count = count
  }
}

/// A key that was handed out, never to be handed out again unless it is a fallback key.
public struct ClaimedKey: Hashable, Sendable {
  /// The owner of the device.
  public let user: UserID
  /// The device.
  public let device: Text
  /// The key's name, such as `signed_curve25519:AAAAAQ`.
  public let name: Text
  /// The key as JSON.
  public let json: Text
}
