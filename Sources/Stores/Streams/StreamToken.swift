import ByteText

/// A point in all streams that a client follows: `next_batch`, `since`, `prev_batch` and the tokens of `/messages`.
///
/// Wire form: 14 fields joined by `_` in the order of the properties below, for example
/// `s10_7_0_2_4_2_2_4_0_1_2_1_1_1`. Missing trailing fields read as 0, so that tokens of older versions stay valid.
/// The form and the meaning of each field are Synapse 1.163.2's, so either server reads the other's tokens.
public struct StreamToken: Hashable, Sendable {
  /// The point in the events stream.
  public var room: RoomStreamToken
  /// The position in the presence stream.
  public var presence: Int64
  /// The position in the typing stream, which restarts at 0 with its writer.
  public var typing: Int64
  /// The point in the receipts stream.
  public var receipt: MultiWriterToken
  /// The position in the account data stream.
  public var accountData: Int64
  /// The position in the push rules stream.
  public var pushRules: Int64
  /// The position in the to-device stream.
  public var toDevice: Int64
  /// The point in the device lists stream.
  public var deviceList: MultiWriterToken
  /// A dead field that is carried along unchanged.
  public var groups: Int64
  /// The position in the stream of rooms whose state has become complete.
  public var unPartialStatedRooms: Int64
  /// The position in the thread subscriptions stream.
  public var threadSubscriptions: Int64
  /// The point in the sticky events stream.
  public var stickyEvents: MultiWriterToken
  /// The point in the quarantined media stream.
  public var quarantinedMedia: MultiWriterToken
  /// The position in the profile updates stream.
  public var profileUpdates: Int64

  /// Makes the token before everything.
  public init() {
    let start = MultiWriterToken(stream: 0)
    room = RoomStreamToken(start)
    (presence, typing, receipt, accountData, pushRules, toDevice) = (0, 0, start, 0, 0, 0)
    (deviceList, groups, unPartialStatedRooms, threadSubscriptions) = (start, 0, 0, 0)
    (stickyEvents, quarantinedMedia, profileUpdates) = (start, start, 0)
  }

  /// Returns this token with another point in the events stream, as in `prev_batch`.
  public func replacingRoom(_ room: RoomStreamToken) -> StreamToken {
    var copy = self
    copy.room = room
    return copy
  }

  static let fieldCount = 14

  /// Reads the wire form.
  ///
  /// - Returns: nil when the text is not a token; Synapse answers 400 `M_UNKNOWN` "Invalid stream token" then.
  /// - Throws: what the directory throws when it cannot be read.
  public static func parse(_ text: Text, directory: some InstanceDirectory) async throws -> StreamToken? {
    guard text.utf8.count <= 4096 else { return nil }
    let fields = text.split(separator: UInt8(ascii: "_"), maxSplits: fieldCount, omittingEmptySubsequences: false)
    guard fields.count <= fieldCount, let first = fields.first,
      let room = try await RoomStreamToken.parse(first, directory: directory)
    else { return nil }
    var token = StreamToken()
    token.room = room
    for (index, field) in fields.enumerated().dropFirst() {
      guard try await token.set(index, field, directory) else { return nil }
    }
    return token
  }

  private mutating func set(_ index: Int, _ field: Text, _ directory: some InstanceDirectory) async throws -> Bool {
    let vector: WritableKeyPath<StreamToken, MultiWriterToken>
    switch index {
    case 3: vector = \.receipt
    case 7: vector = \.deviceList
    case 11: vector = \.stickyEvents
    case 12: vector = \.quarantinedMedia
    default:
      guard let value = TokenInteger.parse(field) else { return false }
      setInteger(index, value)
      return true
    }
    guard let value = try await MultiWriterToken.parse(field, directory: directory) else { return false }
    self[keyPath: vector] = value
    return true
  }

  private mutating func setInteger(_ index: Int, _ value: Int64) {
    switch index {
    case 1: presence = value
    case 2: typing = value
    case 4: accountData = value
    case 5: pushRules = value
    case 6: toDevice = value
    case 8: groups = value
    case 9: unPartialStatedRooms = value
    case 10: threadSubscriptions = value
    default: profileUpdates = value
    }
  }

  /// Writes the wire form.
  public func text(directory: some InstanceDirectory) async throws -> Text {
    var result = try await room.text(directory: directory)
    result += "_\(presence)_\(typing)_\(try await receipt.text(directory: directory))"
    result += "_\(accountData)_\(pushRules)_\(toDevice)_\(try await deviceList.text(directory: directory))"
    result += "_\(groups)_\(unPartialStatedRooms)_\(threadSubscriptions)"
    result += "_\(try await stickyEvents.text(directory: directory))"
    result += "_\(try await quarantinedMedia.text(directory: directory))_\(profileUpdates)"
    return result
  }
}
