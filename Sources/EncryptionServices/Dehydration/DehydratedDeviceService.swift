import AccountServices
import MatrixPrimitives
import Stores

/// Devices that users leave behind to receive messages while they are logged out, and wake when they log in again.
///
/// https://github.com/matrix-org/matrix-spec-proposals/pull/3814
public final class DehydratedDeviceService: Sendable {
  private let store: DehydratedDeviceStore
  private let toDevice: ToDeviceStore
  private let devices: DeviceService
  private let clock: ServerClock

  /// The largest description of a device, in bytes.
  private static let largestData = 65_536
  /// The greatest number of messages of one answer.
  private static let mostMessages = 1_000
  /// The number of messages of an answer where none is asked for.
  public static let usualMessages = 100

  init(stores: EncryptionStores, toDevice: ToDeviceStore, devices: DeviceService) {
    store = stores.dehydratedDevices
    self.toDevice = toDevice
    self.devices = devices
    clock = stores.context.clock
  }

  /// Reads a user's device: its ID and what is needed to wake it, as JSON.
  ///
  /// - Throws: 404 when there is none.
  public func device(of user: UserID) async throws -> (deviceID: Text, data: [UInt8]) {
    guard let device = try await store.device(of: user) else { throw Self.none }
    return device
  }

  /// Stores a device in the place of the one that was there, which goes.
  ///
  /// - Parameter body: `device_id`, `device_data`, `device_keys` and perhaps keys and a name.
  /// - Returns: the device's ID.
  /// - Throws: 400 when something is missing or of a wrong type, 413 when it is too large.
  public func put(_ body: JSONValue, of user: UserID) async throws -> Text {
    let (deviceID, data) = (try body.requireString("device_id"), try body.requireObject("device_data"))
    guard !deviceID.isEmpty, deviceID.utf8.count <= 512, !deviceID.utf8.contains(0) else {
      throw MatrixError.invalidParam("Invalid device_id")
    }
    _ = try data.requireString("algorithm")
    guard data.raw.count <= Self.largestData else { throw MatrixError.tooLarge("The device data is too large") }
    let name = try body.optionalString("initial_device_display_name")
    guard name.map({ $0.unicodeScalars.count <= 100 && !$0.utf8.contains(0) }) ?? true else {
      throw MatrixError.invalidParam("Invalid initial_device_display_name")
    }
    _ = try body.requireObject("device_keys")
    let keys = try KeyUpload(body, user: user, device: deviceID)
    let changed = try await store.replace(
      with: deviceID, data: Array(data.raw), displayName: name, keys: keys.rows, of: user,
      nowMilliseconds: clock.nowMilliseconds)
    try await devices.changed(changed, of: user)
    return deviceID
  }

  /// Deletes a user's device.
  ///
  /// - Returns: its ID.
  /// - Throws: 404 when there is none.
  public func delete(of user: UserID) async throws -> Text {
    guard let deviceID = try await store.remove(of: user) else { throw Self.none }
    try await devices.changed([deviceID], of: user)
    return deviceID
  }

  /// Messages for a device, which stay until it is deleted.
  public struct Messages: Sendable {
    /// The messages as JSON, oldest first.
    public let events: [[UInt8]]
    /// The place after the last one.
    public let next: Text
    /// Whether there are more.
    public let isLimited: Bool
  }

  /// Reads messages.
  ///
  /// - Parameters:
  ///   - deviceID: has to be the user's dehydrated device.
  ///   - from: the place to go on at; nil to begin.
  ///   - limit: the greatest number.
  /// - Throws: 403 for another device, 400 for a malformed place.
  public func messages(
    for deviceID: Text, of user: UserID, from: Text?, limit: Int
  ) async throws -> Messages {
    guard let device = try await store.device(of: user) else {
      throw MatrixError.forbidden("No dehydrated device exists")
    }
    guard device.deviceID == deviceID else {
      throw MatrixError.forbidden("You may only fetch messages for your dehydrated device")
    }
    let (start, end) = (try Self.position(from), toDevice.currentToken)
    let found = try await toDevice.messages(
      for: user, device: deviceID, after: start, upTo: end, limit: min(max(limit, 1), Self.mostMessages))
    return Messages(events: found.messages, next: "d\(found.upTo)", isLimited: found.upTo < end)
  }

  private static func position(_ text: Text?) throws(MatrixError) -> Int64 {
    guard let text, !text.isEmpty else { return 0 }
    guard let position = text.dropping(prefix: "d").flatMap({ Int64($0) }) else {
      throw .invalidParam("from parameter has an invalid format")
    }
    return position
  }

  private static let none = MatrixError.notFound("No dehydrated device available")
}
