import MatrixPrimitives
import Synchronization

/// Channels over which a device that is logged in sets up a new one: each a small text that both replace in turn, encrypted.
///
/// They are in the memory of the main process, are gone after a minute or two, and the oldest make room for new ones, as on Synapse.
/// https://github.com/matrix-org/matrix-spec-proposals/pull/4108, https://github.com/matrix-org/matrix-spec-proposals/pull/4388
public final class RendezvousService: Sendable {
  /// How many channels there may be, and for how long.
  public struct Limits: Sendable {
    /// The time until a channel is gone, in milliseconds; replacing its text does not extend it.
    public let lifetimeMilliseconds: Int64
    /// The number of channels beyond which the oldest go.
    public let most: Int
    /// The number of channels that stay then.
    public let kept: Int

    /// The limits of the older kind (MSC4108).
    public static let older = Limits(lifetimeMilliseconds: 60_000, most: 100, kept: 100)
    /// The limits of the newer kind (MSC4388).
    public static let newer = Limits(lifetimeMilliseconds: 120_000, most: 200, kept: 100)
  }

  /// The largest text, in bytes.
  public static let largestText = 4_096

  private struct Channels {
    /// In the order in which they were opened, and so in that in which they end.
    var order: [Text] = []
    var byID: [Text: RendezvousChannel] = [:]

    mutating func remove(first count: Int) {
      for id in order.prefix(count) { byID[id] = nil }
      order.removeFirst(min(count, order.count))
    }
  }

  private let limits: Limits
  private let clock: ServerClock
  private let channels = Mutex(Channels())

  /// Makes an empty board of channels.
  public init(_ limits: Limits, clock: ServerClock) {
    self.limits = limits
    self.clock = clock
  }

  /// Opens a channel.
  public func open(_ text: [UInt8]) -> RendezvousChannel {
    let (now, wall) = (clock.monotonicMilliseconds, clock.nowMilliseconds)
    let channel = RendezvousChannel(
      id: RandomString.alphanumeric(26), text: text, tag: Self.newTag(), replacedTag: nil,
      endMonotonicMilliseconds: now + limits.lifetimeMilliseconds,
      endMilliseconds: wall + limits.lifetimeMilliseconds, changedMilliseconds: wall)
    channels.withLock { channels in
      Self.expire(&channels, now)
      if channels.order.count >= limits.most {
        channels.remove(first: channels.order.count - limits.kept + 1)
      }
      channels.order.append(channel.id)
      channels.byID[channel.id] = channel
    }
    return channel
  }

  /// Finds a channel.
  ///
  /// - Throws: 404 when there is none, or no more.
  public func channel(_ id: Text) throws(MatrixError) -> RendezvousChannel {
    let found = channels.withLock { channels in
      Self.expire(&channels, clock.monotonicMilliseconds)
      return channels.byID[id]
    }
    guard let found else { throw .notFound() }
    return found
  }

  /// What became of a text that was to replace another one.
  public enum Replacement: Sendable {
    /// It is the channel's now.
    case done(RendezvousChannel)
    /// Somebody else was faster; the channel as it is.
    case conflict(RendezvousChannel)
  }

  /// Replaces the text of a channel. Whoever repeats the last replacement is told again that it is done.
  ///
  /// - Parameter isExpected: whether a tag is that of the text which is to be replaced.
  /// - Throws: 404 when there is no such channel.
  public func replace(
    _ id: Text, with text: [UInt8], where isExpected: (_ tag: Text) -> Bool
  ) throws(MatrixError) -> Replacement {
    let result = channels.withLock { channels -> Replacement? in
      Self.expire(&channels, clock.monotonicMilliseconds)
      guard var channel = channels.byID[id] else { return nil }
      guard isExpected(channel.tag) else {
        let isRepeated = channel.replacedTag.map(isExpected) == true && channel.text == text
        return isRepeated ? .done(channel) : .conflict(channel)
      }
      channel.text = text
      channel.replacedTag = channel.tag
      channel.tag = Self.newTag()
      channel.changedMilliseconds = clock.nowMilliseconds
      channels.byID[id] = channel
      return .done(channel)
    }
    guard let result else { throw .notFound() }
    return result
  }

  /// Closes a channel.
  ///
  /// - Throws: 404 when there is none.
  public func close(_ id: Text) throws(MatrixError) {
    let closed = channels.withLock { channels in
      Self.expire(&channels, clock.monotonicMilliseconds)
      channels.order.removeAll { $0 == id }
      return channels.byID.removeValue(forKey: id) != nil
    }
    guard closed else { throw .notFound() }
  }

  /// Returns the time that a channel has left, in milliseconds.
  public func millisecondsLeft(of channel: RendezvousChannel) -> Int64 {
    max(channel.endMonotonicMilliseconds - clock.monotonicMilliseconds, 0)
  }

  private static func expire(_ channels: inout Channels, _ now: Int64) {
    let ended = channels.order.prefix { channels.byID[$0].map { $0.endMonotonicMilliseconds <= now } ?? true }.count
    channels.remove(first: ended)
  }

  private static func newTag() -> Text { RandomString.alphanumeric(24) }
}

/// A channel as it is at one moment.
public struct RendezvousChannel: Sendable {
  /// Its name, which cannot be guessed.
  public let id: Text
  /// What was written last.
  public fileprivate(set) var text: [UInt8]
  /// The name of the text; another one each time that it is replaced.
  public fileprivate(set) var tag: Text
  fileprivate var replacedTag: Text?
  fileprivate let endMonotonicMilliseconds: Int64
  /// The end of the channel, since 1970.
  public let endMilliseconds: Int64
  /// The time of the last change, since 1970.
  public fileprivate(set) var changedMilliseconds: Int64
}
