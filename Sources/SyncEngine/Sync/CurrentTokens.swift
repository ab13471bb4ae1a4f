import MatrixPrimitives
import StorageEngine
import Stores

/// The positions of this process in all streams.
public final class CurrentTokens: Sendable {
  private let typing: TypingService
  private let events, presence, receipts, accountData, pushRules, toDevice, deviceLists: StreamIDGenerator
  private let unPartialStatedRooms, threadSubscriptions, stickyEvents: StreamIDGenerator
  private let quarantinedMedia, profileUpdates: StreamIDGenerator

  init(ids: StreamIDs, typing: TypingService) {
    self.typing = typing
    events = ids[.events]
    presence = ids[.presence]
    receipts = ids[.receipts]
    accountData = ids[.accountData]
    pushRules = ids[.pushRules]
    toDevice = ids[.toDevice]
    deviceLists = ids[.deviceLists]
    unPartialStatedRooms = ids[.unPartialStatedRooms]
    threadSubscriptions = ids[.threadSubscriptions]
    stickyEvents = ids[.stickyEvents]
    quarantinedMedia = ids[.quarantinedMedia]
    profileUpdates = ids[.profileUpdates]
  }

  /// Returns the point up to which everything can be read here, as `next_batch` of an empty sync.
  public func current() -> StreamToken {
    var token = StreamToken()
    token.room = RoomStreamToken(Self.vector(events))
    token.presence = presence.currentToken
    token.typing = typing.currentToken
    token.receipt = Self.vector(receipts)
    token.accountData = accountData.currentToken
    token.pushRules = pushRules.currentToken
    token.toDevice = toDevice.currentToken
    token.deviceList = Self.vector(deviceLists)
    token.unPartialStatedRooms = unPartialStatedRooms.currentToken
    token.threadSubscriptions = threadSubscriptions.currentToken
    token.stickyEvents = Self.vector(stickyEvents)
    token.quarantinedMedia = Self.vector(quarantinedMedia)
    token.profileUpdates = profileUpdates.currentToken
    return token
  }

  private static func vector(_ generator: StreamIDGenerator) -> MultiWriterToken {
    MultiWriterToken(stream: generator.currentToken, ahead: generator.positions)
  }
}

extension StreamToken {
  /// Returns whether every stream is at or before its place in `other`; typing is left out, since it restarts with
  /// its writer.
  func isReached(by other: StreamToken) -> Bool {
    room.position.isBeforeOrEqual(other.room.position) && presence <= other.presence
      && receipt.isBeforeOrEqual(other.receipt) && accountData <= other.accountData && pushRules <= other.pushRules
      && toDevice <= other.toDevice && deviceList.isBeforeOrEqual(other.deviceList)
  }

  /// Returns whether every stream that a sync shows is at the same place in `other`.
  func isLevel(with other: StreamToken) -> Bool {
    room == other.room && presence == other.presence && typing == other.typing && receipt == other.receipt
      && accountData == other.accountData && pushRules == other.pushRules && toDevice == other.toDevice
      && deviceList == other.deviceList
  }

  /// Returns the token with no stream beyond `limit`: what remains of a token "from the future", which an older database or
  /// a client made up.
  func bounded(by limit: StreamToken) -> StreamToken {
    var token = self
    token.room = RoomStreamToken(room.position.bounded(by: limit.room.position.maximum))
    token.presence = min(presence, limit.presence)
    token.receipt = receipt.bounded(by: limit.receipt.maximum)
    token.accountData = min(accountData, limit.accountData)
    token.pushRules = min(pushRules, limit.pushRules)
    token.toDevice = min(toDevice, limit.toDevice)
    token.deviceList = deviceList.bounded(by: limit.deviceList.maximum)
    return token
  }
}
