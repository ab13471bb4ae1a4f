import ByteText
import Foundation
import ServerConfig
import Testing

/// Every setting of Synapse, so that none is passed over in silence.
@Suite struct SettingsLedgerTests {
  struct Entry: Sendable, CustomTestStringConvertible {
    let name: Text
    let state: Text
    let value: Text

    init?(_ line: Text) {
      let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
      guard words.count == 3 else { return nil }
      (name, state, value) = (words[0], words[1], words[2])
    }

    var testDescription: String { name.string }
    /// The name with an index and a name in the places of their signs.
    var written: Text { name.replacing("[]", with: "[0]").replacing("<name>", with: chosenName) }
    var chosenName: Text { name.hasPrefix("old_signing_keys") ? "ed25519:a" : "main" }
    var role: HomeserverConfig.Role { name.hasPrefix("worker_") ? .worker : .homeserver }
  }

  static let entries = SettingsLedger.text.lines.compactMap { Entry($0) }

  /// What has to stand beside a setting for the section to be read at all.
  private static let company = [
    "listeners[]": "port: 1, type: http", "listeners[].resources[]": "names: [client]",
    "alias_creation_rules[]": "action: allow", "room_list_publication_rules[]": "action: allow",
    "instance_map.<name>": "host: a, port: 1", "databases.<name>": "name: psycopg2",
    "matrix_rtc.transports[]": "type: livekit, livekit_service_url: a",
    "old_signing_keys.<name>": "key: u6lYH01rFqRU1xtr3n20hSzi3tUsOcm/396itqQhYX4, expired_ts: 1",
    "database": "name: psycopg2", "redis": "enabled: true",
  ]

  /// Writes a configuration with one setting, as in `listeners: [{port: 1, type: http, tag: a}]`.
  private static func text(_ entry: Entry) -> Text {
    var path = ""
    var opening = ""
    var closing = ""
    let keys = entry.name.split(separator: UInt8(ascii: "."))
    for (index, key) in keys.enumerated() {
      let isList = key.hasSuffix("[]")
      let plain = isList ? key.dropLast(2) : key == "<name>" ? "\"\(entry.chosenName)\"" : key
      path += path.isEmpty ? key : ".\(key)"
      opening += "\(plain): "
      guard index + 1 < keys.count else { break }
      opening += isList ? "[{" : "{"
      closing = (isList ? "}]" : "}") + closing
      for beside in company[path]?.string.components(separatedBy: ", " as String) ?? []
      where !beside.hasPrefix("\(keys[index + 1]): ") {
        opening += "\(beside), "
      }
    }
    return opening + entry.value + closing
  }

  private static func load(_ entry: Entry, acceptsUnsupported: Bool) throws(ConfigError) -> [Text] {
    let texts = [ConfigText.minimal, entry.role == .worker ? ConfigText.worker : "", text(entry)]
    let documents = texts.enumerated().map { ("\($0.offset).yaml", Array($0.element.utf8)) }
    return try HomeserverConfig.parse(documents, role: entry.role, acceptsUnsupported: acceptsUnsupported).warnings
  }

  /// Returns the lines about a setting, or about one that contains it or that it contains.
  private static func lines(_ warnings: [Text], about entry: Entry) -> [Text] {
    warnings.filter { line in
      guard
        let subject = line.string.split(separator: ": " as String).map({ Text($0) }).first(where: {
          !$0.contains(".yaml:")
        })
      else { return false }
      return entry.written == subject || entry.written.hasPrefix("\(subject).")
        || entry.written.hasPrefix("\(subject)[")
        || subject.hasPrefix("\(entry.written).")
    }
  }

  @Test func theLedgerIsWhole() {
    #expect(Self.entries.count == SettingsLedger.text.lines.count)
    #expect(Set(Self.entries.map(\.name)).count == Self.entries.count)
    #expect(Set(Self.entries.map(\.state)) == ["followed", "ignored", "guarded", "refused"])
  }

  @Test(arguments: entries.filter { $0.state == "followed" })
  func whatIsFollowedIsReadInSilence(_ entry: Entry) {
    do throws(ConfigError) {
      let said = Self.lines(try Self.load(entry, acceptsUnsupported: false), about: entry)
      #expect(said.filter { $0.contains("no effect") || $0.contains("unknown") } == [])
    } catch {
      // A value that is refused has been read.
      let top = Text(entry.written.string.prefix { $0 != "." && $0 != "[" })
      let isAbout = error.key.hasPrefix(top) || error.problem.contains(top)
      #expect(isAbout || error.problem.hasPrefix("cannot read the file \(entry.value)"), "\(error)")
    }
  }

  @Test(arguments: entries.filter { $0.state == "ignored" })
  func whatIsNotFollowedIsNamedOnce(_ entry: Entry) throws {
    let said = Self.lines(try Self.load(entry, acceptsUnsupported: true), about: entry)
    #expect(said.filter { $0.contains("no effect") }.count == 1, "\(said)")
    #expect(said.filter { $0.contains("unknown") } == [])
  }

  @Test(arguments: entries.filter { $0.state == "guarded" })
  func whatShutsSomethingIsRefusedUnlessAccepted(_ entry: Entry) throws {
    let error = #expect(throws: ConfigError.self) { try Self.load(entry, acceptsUnsupported: false) }
    #expect(error?.key == entry.written && error?.problem.contains("--accept-unsupported") == true)
    let said = Self.lines(try Self.load(entry, acceptsUnsupported: true), about: entry)
    #expect(said.filter { $0.contains("no effect") }.count == 1, "\(said)")
  }

  @Test(arguments: entries.filter { $0.state == "refused" })
  func whatSynapseRefusesIsRefused(_ entry: Entry) {
    let error = #expect(throws: ConfigError.self) { try Self.load(entry, acceptsUnsupported: true) }
    #expect(error?.key == entry.written)
  }

  @Test func whatShutsNothingIsNotRefused() throws {
    let (_, warnings) = try ConfigText.load(
      """
      modules: []
      hs_disabled: false
      retention: {enabled: false}
      matrix_authentication_service: {enabled: false}
      app_service_config_files: []
      limit_usage_by_mau: false
      max_avatar_size: null
      experimental_features: {msc3861: {}, msc3575_enabled: false}
      """)
    #expect(!warnings.contains { $0.contains("msc") })
  }

  @Test func everythingThatShutsSomethingIsNamedInTheRefusal() throws {
    let line = try #require(ConfigText.failure("hs_disabled: true\nretention: {enabled: true}\nmodules: [{module: a}]"))
    for name in ["hs_disabled", "retention.enabled", "modules"] { #expect(line.contains(name)) }
  }

  @Test(arguments: ["retention: {enabled: \"yes\"}", "limit_usage_by_mau: \"true\"", "account_validity: {enabled: 1}"])
  func whatPythonCountsAsTrueIsOn(_ text: Text) throws {
    #expect(try #require(ConfigText.failure(text)).contains("--accept-unsupported"))
  }

  // MARK: - Read, and then?

  /// Properties that nothing uses, with the settings behind them. Where one of them comes into use, its setting is followed.
  static let unused = [
    "adminContact": "admin_contact", "disabledMessage": "hs_disabled_message", "isDisabled": "hs_disabled",
    "servesServerWellKnown": "serve_server_wellknown", "transactionLimit": "database.txn_limit",
    "oldKeys": "old_signing_keys",
    "refreshIntervalMilliseconds": "key_refresh_interval", "tracksPuppetedUserIPs": "track_puppeted_user_ips",
    "storePath": "media_store_path",
    "includesUpdatesInSync": "include_profile_updates_in_sync", "countsRooms": "push.group_unread_count_by_room",
    "includesContent": "push.include_content", "jitterMilliseconds": "push.jitter_delay",
    "delayedEventManagement": "rc_delayed_event_mgmt",
    "mediaCreate": "rc_media_create", "threepidValidation": "rc_3pid_validation",
    "autoJoinRooms": "auto_join_rooms",
    "autoJoinRoomPreset": "autocreate_auto_join_room_preset",
    "autoJoinRoomsFederate": "autocreate_auto_join_rooms_federated", "autoJoinUserID": "auto_join_mxid_localpart",
    "autoJoinsGuests": "auto_join_rooms_for_guests", "createsAutoJoinRooms": "autocreate_auto_join_rooms",
    "excludedFromPresence": "exclude_rooms_from_presence", "uiAuthMilliseconds": "ui_auth",
    "allowsLoginTokens": "login_via_existing_session", "loginTokenMilliseconds": "login_via_existing_session",
    "loginTokensRequireUIAuth": "login_via_existing_session",
    "sendsFederation": "send_federation", "runsPushers": "start_pushers",
    "notifiesApplicationServices": "notify_appservices",
  ]

  /// Properties that others stand for outside this library, and secrets of features to come whose absence nobody notices.
  static let internallyUsed: Set = [
    "factors", "globalFactor", "backgroundTasksInstance", "macaroonSecretKey", "formSecret", "rootLevel", "propagates",
  ]

  @Test func everyPropertyOfTheSettingsIsUsedOrItsSettingNamed() throws {
    let (own, others) = try Self.sources()
    let used = Self.members(others)
    let properties = Set(
      own.lines.compactMap { line -> Text? in
        let declared = line.dropping(prefix: "  public var ") ?? line.dropping(prefix: "  public let ")
        return declared.map { Text($0.string.prefix { $0 != ":" && $0 != " " }) }
      })
    #expect(properties.count > 100)
    let idle = properties.subtracting(used).subtracting(Self.internallyUsed)
    #expect(idle.subtracting(Self.unused.keys) == [], "nothing uses these: follow their settings or name them")
    #expect(
      Set(Self.unused.keys).subtracting(idle) == [], "these are used now: strike their settings from AbsentCapability")
    let named = Set(Self.entries.filter { $0.state == "ignored" || $0.state == "guarded" }.map(\.name))
    for setting in Set(Self.unused.values) {
      #expect(named.contains { $0 == setting || $0.hasPrefix("\(setting).") }, "\(setting)")
    }
  }

  @Test func everyExperimentThatIsAskedForIsInTheLedger() throws {
    let asked = Set(
      try Self.sources().others.string.components(separatedBy: "experimental.isEnabled(\"" as String).dropFirst().map {
        "experimental_features.\($0.prefix { $0 != "\"" })"
      })
    let followed = Set(
      Self.entries.filter { $0.state == "followed" && $0.name.hasPrefix("experimental_features.") }.map(\.name))
    #expect(asked.isSubset(of: followed))
  }

  /// Lists what stands behind a point in a source.
  private static func members(_ source: Text) -> Set<Text> {
    let point = UInt8(ascii: ".")
    let isPart: (UInt8) -> Bool = { byte in
      let letter = byte | 0x20
      return byte == point || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter)
    }
    var result: Set<Text> = []
    for chain in source.utf8.split(whereSeparator: { !isPart($0) }) where chain.contains(point) {
      for member in chain.drop(while: { $0 != point }).split(separator: point) {
        result.insert(Text(decoding: member, as: UTF8.self))
      }
    }
    return result
  }

  /// Reads all sources: those of the settings, and those of all other libraries and programs.
  private static func sources() throws -> (own: Text, others: Text) {
    let sources = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
        "Sources")
    let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
    var own = ""
    var others = ""
    for case let file as URL in files where file.pathExtension == "swift" {
      let text = Text(try String(contentsOf: file, encoding: .utf8))
      if file.path.contains("/ServerConfig/Settings/") {
        own += text
      } else if !file.path.contains("/ServerConfig/") {
        others += text
      }
    }
    return (own, others)
  }
}
