import MatrixEvents
import Testing

/// The data of room versions, compared with what each version's page says is new in it.
@Suite struct RoomVersionTests {
  /// Lists the versions in which something holds, as ranges of their numbers.
  private func check(_ versions: ClosedRange<Int>, _ holds: (RoomVersion) -> Bool, _ what: Comment) throws {
    for number in 1...12 {
      let version = try #require(RoomVersion.named("\(number)"))
      #expect(holds(version) == versions.contains(number), what)
    }
  }

  @Test func choosesTheAlgorithmOfStateResolution() throws {
    try check(1...1, { $0.stateResolution == .v1 }, "by depth")
    try check(2...11, { $0.stateResolution == .v2 }, "2")
    try check(12...12, { $0.stateResolution == .v2Dot1 }, "2.1")
  }

  @Test func namesEvents() throws {
    try check(1...2, { $0.eventIDFormat == .chosen }, "chosen ids")
    try check(3...3, { $0.eventIDFormat == .hash }, "hashes")
    try check(4...12, { $0.eventIDFormat == .urlSafeHash }, "URL-safe hashes")
    try check(12...12, \.isRoomIDCreateHash, "room ids")
  }

  @Test func addsRulesVersionByVersion() throws {
    try check(1...5, \.hasAliasesRules, "aliases")
    try check(5...12, \.enforcesKeyValidity, "key validity")
    try check(6...12, \.isCanonicalJSONStrict, "strict numbers")
    try check(6...12, \.limitsNotificationLevels, "notification levels")
    try check(7...12, \.allowsKnocking, "knocking")
    try check(8...12, \.allowsRestrictedJoins, "restricted joins")
    try check(9...12, \.keepsAuthorisingUser, "redaction of restricted joins")
    try check(10...12, \.allowsKnockRestrictedJoins, "knock_restricted")
    try check(10...12, \.requiresIntegerPowerLevels, "integer levels")
    try check(11...12, \.isCreatorImplicit, "creator")
    try check(11...12, \.hasUpdatedRedactionRules, "redaction")
    try check(11...12, \.hasRedactsInContent, "redacts")
    try check(11...12, \.hasStrictByteLimits, "limits in bytes")
    try check(12...12, \.hasCreatorPower, "creators")
  }

  @Test func knowsNoOtherVersions() {
    #expect(RoomVersion.all.map(\.identifier) == (1...12).map { "\($0)" })
    for name in ["", "0", "13", "01", "1 ", "org.example"] { #expect(RoomVersion.named(name) == nil) }
  }
}
