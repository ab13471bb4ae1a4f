import MatrixPrimitives

/// The power levels in a room's create and power levels events, with the defaults of the specification.
public struct PowerLevels: Sendable {
  /// The power of a creator from room version 12 on; no written level reaches it.
  public static let creatorLevel = Int64.max

  private let version: RoomVersion
  private let creator: Text?
  private let additionalCreators: JSONElements?
  private let content: JSONValue?
  private let readsLoosely: Bool

  /// Reads the levels of a room.
  /// - Parameters:
  ///   - create: the create event; without it there is no creator.
  ///   - powerLevels: the power levels event; without it the creator has 100 and everybody else 0.
  public init(create: Event?, powerLevels: Event?) {
    version = create?.version ?? powerLevels?.version ?? .v12
    creator = create.flatMap { create in
      create.version.isCreatorImplicit ? create.sender.rawValue : create.content["creator"]?.string
    }
    additionalCreators =
      create.flatMap { $0.version.hasCreatorPower ? $0.content["additional_creators"]?.elements : nil }
    content = powerLevels?.content
    readsLoosely = !version.requiresIntegerPowerLevels
  }

  /// Reads the levels out of a state.
  public init(_ state: some AuthState) {
    self.init(create: state.event(.create), powerLevels: state.event(.powerLevels))
  }

  /// Returns whether a user is a creator whom no power levels event binds (room version 12 on).
  public func isPrivilegedCreator(_ user: UserID) -> Bool {
    guard version.hasCreatorPower else { return false }
    if let creator, creator == user.rawValue { return true }
    return additionalCreators?.contains { $0.isString(user.rawValue) } ?? false
  }

  /// Returns a user's power; `creatorLevel` for creators from room version 12 on.
  public func level(of user: UserID) -> Int64 {
    if isPrivilegedCreator(user) { return Self.creatorLevel }
    guard let content else {
      return creator.map { $0 == user.rawValue } ?? false ? 100 : 0
    }
    return integer(content["users"]?[user.rawValue]) ?? usersDefault
  }

  /// Returns the power needed to send an event of a type.
  public func required(forType type: Text, isState: Bool) -> Int64 {
    integer(content?["events"]?[type]) ?? (isState ? stateDefault : eventsDefault)
  }

  /// The power of users that are not listed.
  public var usersDefault: Int64 { named("users_default", 0) }
  /// The power needed for message events that are not listed.
  public var eventsDefault: Int64 { named("events_default", 0) }
  /// The power needed for state events that are not listed: 50, or 0 as long as there is no power levels event.
  public var stateDefault: Int64 { named("state_default", 50) }
  /// The power needed to ban and unban.
  public var ban: Int64 { named("ban", 50) }
  /// The power needed to kick.
  public var kick: Int64 { named("kick", 50) }
  /// The power needed to redact other users' events.
  public var redact: Int64 { named("redact", 50) }
  /// The power needed to invite.
  public var invite: Int64 { named("invite", 0) }

  /// Returns the power needed for a kind of notification, such as `room`: 50 unless written.
  public func notification(_ key: Text) -> Int64 {
    integer(content?["notifications"]?[key]) ?? 50
  }

  private func named(_ key: Text, _ fallback: Int64) -> Int64 {
    integer(content?[key]) ?? fallback
  }

  private func integer(_ value: JSONValue?) -> Int64? {
    value.flatMap { Self.integer($0, loosely: readsLoosely) }
  }

  /// Reads a level. Loosely, as servers read room versions before 10, also floats (cut off), strings that hold a decimal integer, and booleans.
  static func integer(_ value: JSONValue, loosely: Bool) -> Int64? {
    switch value.kind {
    case .integer: return value.integer
    case .bool where loosely: return value.bool == true ? 1 : 0
    case .double where loosely:
      return value.double.flatMap { Int64(exactly: $0.rounded(.towardZero)) }
    case .string where loosely:
      let spaces: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D]
      var text = Array(value.string?.utf8 ?? "".utf8)[...]
      while let first = text.first, spaces.contains(first) { text.removeFirst() }
      while let last = text.last, spaces.contains(last) { text.removeLast() }
      return Int64(Text(decoding: text, as: UTF8.self))
    default: return nil
    }
  }
}
