import Foundation
import MatrixPrimitives
import Testing

@testable import ServerConfig

@Suite struct LoadingTests {
  @Test func minimalConfigurationHasSynapsesStandardValues() throws {
    let (config, warnings) = try ConfigText.load("")
    #expect(config.serverName == "example.org")
    #expect(config.instanceName == "master" && config.isMainProcess)
    #expect(config.publicBaseURL == "https://example.org/")
    #expect(!config.server.servesClientWellKnown)
    #expect(config.database.arguments == ["user": "synapse", "dbname": "synapse"])
    #expect(config.database.minimumConnections == 2 && config.database.maximumConnections == 7)
    #expect(config.redis == nil)
    #expect(config.rooms.defaultRoomVersion == "12")
    #expect(config.rateLimits.message == RateLimit(perSecond: 0.2, burstCount: 10))
    #expect(config.rateLimits.loginAccount == RateLimit(perSecond: 0.003, burstCount: 5))
    #expect(config.limits.maximumUploadBytes == 52_428_800)
    #expect(config.limits.userIPsMaximumAgeMilliseconds == 2_419_200_000)
    #expect(config.sessions.refreshableAccessTokenMilliseconds == 300_000)
    #expect(config.sessions.lifetimeMilliseconds == nil)
    #expect(config.passwords.allowsLogin && config.bcryptRounds == 12)
    #expect(config.presence.isEnabled && config.presence.idleTimeoutMilliseconds == 300_000)
    #expect(config.caches.globalFactor == 0.5 && config.caches.entryLifetimeMilliseconds == 1_800_000)
    #expect(config.keys.signingKeys.map(\.keyID) == ["ed25519:a_test"])
    #expect(config.macaroonSecretKey == Array("secret".utf8))
    #expect(config.isWriter(of: .events) && config.isWriter(of: .caches))
    #expect(config.duties.runsBackgroundTasks && config.duties.updatesUserDirectory && config.duties.sendsFederation)
    #expect(config.logging == .standard)
    #expect(
      warnings.filter { $0.contains("yaml") } == [
        "1.yaml: found nothing, expected keys and values; the file is ignored"
      ])
  }

  @Test(
    arguments: [("", 604_800_000), ("1h", 3_600_000), ("5000", 5000), ("null", nil), ("~", nil)] as [(Text, Int64?)])
  func redactedContentIsKeptAsLongAsConfigured(text: Text, milliseconds: Int64?) throws {
    let (config, warnings) = try ConfigText.load(text.isEmpty ? "" : "redaction_retention_period: \(text)")
    #expect(config.rooms.redactionRetentionMilliseconds == milliseconds)
    #expect(!warnings.contains { $0.contains("redaction_retention_period") })
  }

  @Test func laterFilesReplaceTopLevelKeysWhole() throws {
    let (config, _) = try ConfigText.load(
      "rc_joins: {local: {per_second: 5}}\npublic_baseurl: https://a.example.org/base",
      "rc_joins: {}\nrc_joins_per_room: {per_second: 7}")
    #expect(config.rateLimits.joinsLocal.perSecond == 0.1)
    #expect(config.rateLimits.joinsPerRoom == RateLimit(perSecond: 7, burstCount: 10))
    #expect(config.publicBaseURL == "https://a.example.org/base/")
    #expect(config.server.servesClientWellKnown)
  }

  @Test func foldersAreReadSortedAndSecretsComeFromFiles() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("config-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      at: folder.appendingPathComponent("sub.yaml"), withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func write(_ name: String, _ text: Text) throws {
      try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }
    try write("10.yaml", ConfigText.minimal.replacing("signing_key: ed25519 a_test \(ConfigText.seed)\n", with: ""))
    try write(
      "20.yaml", "form_secret_path: \(folder.path)/secret\nmacaroon_secret_key:\nregistration_shared_secret: shared\n")
    try write("15.yaml", "registration_shared_secret: other\n")
    try write("note.txt", "not read")
    try write("secret", "  hidden\n")
    try write("example.org.signing.key", "ed25519 a_1 \(ConfigText.seed)\n\ned25519 a_2 \(ConfigText.seed)\n")
    let (config, warnings) = try HomeserverConfig.load(paths: [Text(folder.path)], role: .homeserver)
    #expect(config.formSecret == "hidden")
    #expect(config.registration.sharedSecret == "shared")
    #expect(config.macaroonSecretKey == Array("shared".utf8))
    #expect(config.keys.signingKeys.map(\.keyID) == ["ed25519:a_1", "ed25519:a_2"])
    #expect(warnings.contains { $0.contains("note.txt") } && warnings.contains { $0.contains("sub.yaml") })
    let error = #expect(throws: ConfigError.self) {
      try HomeserverConfig.load(paths: ["\(folder.path)/missing.yaml"], role: .homeserver)
    }
    #expect(error?.description.contains("No such file") == true)
  }

  @Test(arguments: [
    (
      "listeners: [{port: abc, type: http}]",
      "1.yaml:1:20: listeners[0].port: found \"abc\", expected a whole number from 0 to 65535"
    ),
    ("max_upload_size: 50X", "1.yaml:1:18: max_upload_size: found \"50X\", expected a size"),
    ("presence:\n  enabled: maybe", "1.yaml:2:12: presence.enabled: found \"maybe\", expected true or false"),
    ("session_lifetime: soon", "1.yaml:1:19: session_lifetime: found \"soon\", expected a duration"),
    ("redis: yes", "1.yaml:1:8: redis: found the boolean true, expected a mapping"),
    ("database: {name: sqlite3}", "1.yaml:1:18: database.name: found \"sqlite3\", expected psycopg2 (only PostgreSQL"),
    ("database: {args: {}}", "database.name: is missing, expected psycopg2"),
    ("server_name: a_b", "1.yaml:1:14: server_name: found \"a_b\""),
    ("a: [", "1.yaml:2:1: did not find"),
    ("enable_registration: true", "1.yaml:1:22: enable_registration: found open registration without any verification"),
    ("default_room_version: 99", "default_room_version: found \"99\""),
    ("bcrypt_rounds: 3", "bcrypt_rounds: found the number 3, expected a whole number from 4 to 31"),
    ("form_secret: a\nform_secret_path: b", "1.yaml:2:19: form_secret_path: form_secret is set as well"),
    ("worker_app: synapse.app.generic_worker", "worker_app: found"),
    ("listeners: [{port: 1, type: replication}]", "listeners[0].type: found \"replication\""),
    ("listeners: [{port: 1, type: http, tls: true}]", "tls_certificate_path: is missing"),
    ("listeners: [{port: 1, path: /s, type: http}]", "listeners[0].port: path is set as well"),
    (
      "listeners: [{port: 1, type: http, resources: [{names: [clients]}]}]",
      "listeners[0].resources[0].names: found \"clients\""
    ),
    ("limit_profile_requests_to_users_who_share_rooms: true", "require_auth_for_profile_requests: true as well"),
    ("session_lifetime: 1h\nrefresh_token_lifetime: 2h", "refresh_token_lifetime: found more than session_lifetime"),
    ("stream_writers: {typing: [master, master]}", "stream_writers.typing: found 2 instances, expected one"),
    (
      "stream_writers: {events: other}",
      "stream_writers.events: found \"other\", expected an instance that is in instance_map"
    ),
    ("stream_writers: {evnts: master}", "stream_writers.evnts: found an unknown stream"),
    ("instance_map: {a: {host: b}}", "instance_map.a.port: is missing"),
    ("signing_key: nonsense", "signing_key: expected the form"),
    ("extra_well_known_client_content: {m.homeserver: {}}", "extra_well_known_client_content: found m.homeserver"),
    ("alias_creation_rules: [{action: maybe}]", "alias_creation_rules[0].action: found \"maybe\""),
    ("default_power_level_content_override: {public: {}}", "default_power_level_content_override: found \"public\""),
    ("auto_join_rooms: ['room']", "auto_join_rooms[0]: found \"room\""),
  ])
  func refusesWithOneLine(_ text: Text, _ expected: Text) throws {
    let line = try #require(ConfigText.failure(text))
    #expect(line.contains(expected))
    #expect(!line.contains("\n"))
  }

  @Test func warnsAboutUnsupportedAndUnknownKeysOnce() throws {
    let (_, warnings) = try ConfigText.load(
      """
      cas_config: {enabled: false}
      enable_regstration: true
      presence: {enabeld: true}
      trusted_key_servers: []
      rc_login: {adress: {}}
      hs_disabled: false
      """
    )
    #expect(
      warnings == [
        "1.yaml:1:1: cas_config: this setting of Synapse is not supported and has no effect",
        "1.yaml:2:1: enable_regstration: unknown setting, ignored",
        "1.yaml:4:1: trusted_key_servers: this setting of Synapse is not supported and has no effect",
        "1.yaml:6:1: hs_disabled: this setting of Synapse is not supported and has no effect",
        "1.yaml:5:12: rc_login.adress: unknown setting, ignored",
        "1.yaml:3:12: presence.enabeld: unknown setting, ignored",
      ])
  }

  @Test func readsRoomsRegistrationAndRules() throws {
    let (config, _) = try ConfigText.load(
      """
      enable_registration: "yes"
      registration_requires_token: true
      auto_join_rooms: ["#hall:example.org"]
      encryption_enabled_by_default_for_room_type: invite
      default_room_version: 10
      alias_creation_rules:
        - {user_id: "@bad*:example.org", action: deny}
        - {alias: "#open_?:*", action: allow}
      room_prejoin_state: {disable_default_event_types: true, additional_event_types: [a.b, [c.d, key]]}
      caches: {per_cache_factors: {get_users_in_room: 3, "*stateGroupCache*": 2}}
      exclude_rooms_from_sync: ["!a:example.org"]
      experimental_features: {msc3026_enabled: true}
      password_config: {enabled: only_for_reauth, pepper: 1234}
      presence: {enabled: untracked}
      """)
    #expect(config.registration.isEnabled && config.registration.autoJoinRooms.map(\.rawValue) == ["#hall:example.org"])
    #expect(config.rooms.encryptedPresets == ["private_chat", "trusted_private_chat"])
    #expect(config.rooms.defaultRoomVersion == "10")
    let room = RoomID(unchecked: "!r:example.org")
    func allowed(_ user: Text, _ alias: Text) -> Bool {
      config.rooms.aliasCreationRules.allows(
        userID: UserID(unchecked: user), roomID: room, aliases: [RoomAlias(unchecked: alias)])
    }
    #expect(allowed("@good:example.org", "#open_1:example.org"))
    #expect(!allowed("@good:example.org", "#open_12:example.org"))
    #expect(!allowed("@badly:example.org", "#open_1:example.org"))
    #expect(config.rooms.prejoinState.map(\.type) == ["m.room.create", "a.b", "c.d"])
    #expect(config.caches.factor(of: "*stateGroupCache*") == 2 && config.caches.factor(of: "get_users_in_room") == 3)
    #expect(config.caches.factor(of: "other") == 0.5)
    #expect(config.experimental.isEnabled("msc3026_enabled") && !config.experimental.isEnabled("msc1763_enabled"))
    #expect(
      !config.passwords.allowsLogin && config.passwords.allowsReauthentication && config.passwords.pepper == "1234")
    #expect(config.presence.isEnabled && !config.presence.tracksActivity)
  }

  @Test(arguments: [("10K", 10_240), ("50M", 52_428_800), ("1G", 1 << 30), ("7", 7), ("1_0K", 10_240)])
  func readsSizes(_ text: Text, _ bytes: Int64) {
    #expect(Quantity.bytes(text) == bytes)
  }

  @Test(arguments: [
    ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("7d", 604_800_000), ("1w", 604_800_000),
    ("1y", 31_536_000_000), ("250", 250),
  ])
  func readsDurations(_ text: Text, _ milliseconds: Int64) {
    #expect(Quantity.milliseconds(text) == milliseconds)
  }

  @Test(arguments: ["", "K", "5 5", "1.5h", "9223372036854775807y", "5ms"])
  func refusesOtherQuantities(_ text: Text) {
    #expect(Quantity.milliseconds(text) == nil && Quantity.bytes(text) == nil)
  }
}
