import MatrixPrimitives
import Stores

/// A device as its user sees it.
public struct DeviceDetails: Sendable {
  /// The device; unique for its user.
  public let deviceID: Text
  /// The name that the user gave it.
  public let displayName: Text?
  /// The address from which it was last used.
  public let lastSeenIP: Text?
  /// The time of its last use, since 1970.
  public let lastSeenMilliseconds: Int64?

  /// Combines what is stored of a device with a use that is not stored yet.
  init(_ device: Device, latestUse: ClientUse?) {
    deviceID = device.deviceID
    displayName = device.displayName
    lastSeenIP = latestUse?.ip ?? device.lastSeenIP
    lastSeenMilliseconds = latestUse?.lastSeenMilliseconds ?? device.lastSeenMilliseconds
  }
}
