import ByteText

/// A room version as a set of rules, so that nothing elsewhere compares version numbers.
///
/// Source: the pages "Room versions 1" to "12" of the specification.
public struct RoomVersion: Sendable, Hashable, CustomStringConvertible {
  /// The forms of event ids.
  public enum EventIDFormat: Sendable {
    /// The sending server chooses the id and writes it into the event (versions 1 and 2).
    case chosen
    /// The reference hash in standard base64 (version 3).
    case hash
    /// The reference hash in URL-safe base64 (version 4 on).
    case urlSafeHash
  }

  /// The algorithms that resolve conflicting states.
  public enum StateResolutionAlgorithm: Sendable {
    case v1, v2
    /// Version 2 starting from an empty state and replaying the conflicted subgraph.
    case v2Dot1
  }

  /// The version's name, such as `10`.
  public private(set) var identifier: Text
  /// The forms of event ids.
  public private(set) var eventIDFormat: EventIDFormat = .urlSafeHash
  /// The algorithms that resolve conflicting states.
  public private(set) var stateResolution: StateResolutionAlgorithm = .v2Dot1
  /// Whether a signing key must have been valid at the event's time (version 5 on).
  public private(set) var enforcesKeyValidity = true
  /// Whether `m.room.aliases` has an auth rule of its own and keeps its aliases when redacted (up to version 5).
  public private(set) var hasAliasesRules = false
  /// Whether events must be canonical JSON without floats and large integers (version 6 on).
  public private(set) var isCanonicalJSONStrict = true
  /// Whether changes of notification levels need the sender to have them (version 6 on).
  public private(set) var limitsNotificationLevels = true
  /// Whether membership and join rule `knock` exist (version 7 on).
  public private(set) var allowsKnocking = true
  /// Whether join rule `restricted` exists (version 8 on).
  public private(set) var allowsRestrictedJoins = true
  /// Whether redaction keeps who authorised a restricted join (version 9 on).
  public private(set) var keepsAuthorisingUser = true
  /// Whether join rule `knock_restricted` exists (version 10 on).
  public private(set) var allowsKnockRestrictedJoins = true
  /// Whether power levels must be integers, not strings or floats (version 10 on).
  public private(set) var requiresIntegerPowerLevels = true
  /// Whether the creator is the create event's sender instead of `content.creator` (version 11 on).
  public private(set) var isCreatorImplicit = true
  /// Whether redaction keeps all of create, `invite` of power levels and more, and drops `origin` and others (version
  /// 11 on).
  public private(set) var hasUpdatedRedactionRules = true
  /// Whether `redacts` is in the content of a redaction (version 11 on).
  public private(set) var hasRedactsInContent = true
  /// Whether the 255-byte limits are binding, not only limits of code points (version 11 on).
  public private(set) var hasStrictByteLimits = true
  /// Whether creators are above all power levels (version 12 on).
  public private(set) var hasCreatorPower = true
  /// Whether the room id is the create event's hash, which then no event cites (version 12 on).
  public private(set) var isRoomIDCreateHash = true

  /// Rule sets are distinguished by their names.
  public static func == (a: RoomVersion, b: RoomVersion) -> Bool { a.identifier == b.identifier }

  /// Feeds the parts that equality compares.
  public func hash(into hasher: inout Hasher) { hasher.combine(identifier) }

  /// A text for logs.
  public var description: String { identifier.string }

  private init(_ identifier: Text) { self.identifier = identifier }

  /// Derives the version before: the same rules with some taken back.
  private func predecessor(_ identifier: Text, _ takeBack: (inout RoomVersion) -> Void) -> RoomVersion {
    var version = self
    version.identifier = identifier
    takeBack(&version)
    return version
  }
}

extension RoomVersion {
  /// Room version 12: ids from hashes, creators above everyone, state resolution 2.1.
  public static let v12 = RoomVersion("12")
  /// Room version 11: redaction rules tidied, creator implicit.
  public static let v11 = v12.predecessor("11") {
    $0.hasCreatorPower = false
    $0.isRoomIDCreateHash = false
    $0.stateResolution = .v2
  }
  /// Room version 10: power levels are integers, `knock_restricted`.
  public static let v10 = v11.predecessor("10") {
    $0.isCreatorImplicit = false
    $0.hasUpdatedRedactionRules = false
    $0.hasRedactsInContent = false
    $0.hasStrictByteLimits = false
  }
  /// Room version 9: redaction keeps who authorised a restricted join.
  public static let v9 = v10.predecessor("9") {
    $0.allowsKnockRestrictedJoins = false
    $0.requiresIntegerPowerLevels = false
  }
  /// Room version 8: restricted joins.
  public static let v8 = v9.predecessor("8") { $0.keepsAuthorisingUser = false }
  /// Room version 7: knocking.
  public static let v7 = v8.predecessor("7") { $0.allowsRestrictedJoins = false }
  /// Room version 6: strict canonical JSON, no rule for aliases.
  public static let v6 = v7.predecessor("6") { $0.allowsKnocking = false }
  /// Room version 5: key validity.
  public static let v5 = v6.predecessor("5") {
    $0.hasAliasesRules = true
    $0.isCanonicalJSONStrict = false
    $0.limitsNotificationLevels = false
  }
  /// Room version 4: URL-safe event ids.
  public static let v4 = v5.predecessor("4") { $0.enforcesKeyValidity = false }
  /// Room version 3: event ids are hashes.
  public static let v3 = v4.predecessor("3") { $0.eventIDFormat = .hash }
  /// Room version 2: state resolution 2.
  public static let v2 = v3.predecessor("2") { $0.eventIDFormat = .chosen }
  /// Room version 1: where it began.
  public static let v1 = v2.predecessor("1") { $0.stateResolution = .v1 }

  /// All known versions, oldest first.
  public static let all: [RoomVersion] = [v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12]

  private static let byIdentifier = Dictionary(all.map { ($0.identifier, $0) }) { first, _ in first }

  /// Finds a version by its name; nil if it is not known.
  public static func named(_ identifier: Text) -> RoomVersion? { byIdentifier[identifier] }
}
