import MatrixPrimitives
import ServerConfig

extension ServerEndpoints {
  /// The versions of the specification that are answered for, oldest first.
  ///
  /// Version 1.7 has uploads in two steps, 1.11 authenticated media, which are not there. Neither are media of any kind, which all versions
  /// have; but clients refuse to work with less than 1.1.
  static let specificationVersions = [
    "r0.0.1", "r0.1.0", "r0.2.0", "r0.3.0", "r0.4.0", "r0.5.0", "r0.6.0", "r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4",
    "v1.5",
    "v1.6",
  ]

  /// What later versions of the specification have that is there, under the names by which clients ask for it.
  private static let settled: [Text: JSON] = [
    // Cross-signing, since 1.1.
    "org.matrix.e2e_cross_signing": true,
    // Aliases that a room's server knows, since 1.1.
    "org.matrix.msc2432": true,
    // Private read receipts, since 1.4.
    "org.matrix.msc2285.stable": true,
    // Threads and their summaries, since 1.4.
    "org.matrix.msc3440.stable": true,
    // Receipts in threads, since 1.4.
    "org.matrix.msc3771": true,
    // Types of rooms in the list of published ones, since 1.4.
    "org.matrix.msc3827.stable": true,
    // Relations of relations, since 1.10.
    "org.matrix.msc3981": true,
    // Further fields of profiles, since 1.16.
    "uk.tcpip.msc4133.stable": true,
    // Rooms that two users share.
    "uk.half-shot.msc2666.query_mutual_rooms.stable": true,
    // Invitations that a user refuses beforehand.
    "org.matrix.msc4380.stable": true,
  ]

  /// The proposals that a switch of `experimental_features` turns on, by the names under which clients ask for them.
  private static let experiments: [Text: Text] = [
    "org.matrix.msc3391": "msc3391_enabled", "org.matrix.msc3773": "msc3773_enabled",
    "org.matrix.msc3881": "msc3881_enabled", "org.matrix.msc4143": "msc4143_enabled",
    "org.matrix.msc4306": "msc4306_enabled", "uk.tcpip.msc4133": "msc4133_enabled",
  ]

  /// Returns what is there beyond ``specificationVersions``, by the settings.
  static func features(_ config: HomeserverConfig) -> JSON {
    var features = settled
    for (name, switchName) in experiments { features[name] = .bool(config.experimental.isEnabled(switchName)) }
    // Simplified sliding sync, a proposal still (MSC4186).
    features["org.matrix.simplified_msc3575"] = .bool(SlidingSyncEndpoints.isOffered(config))
    // Events that are sent later.
    features["org.matrix.msc4140"] = .bool(config.rooms.allowsDelayedEvents)
    // Tokens by which one session opens another, since 1.7.
    features["org.matrix.msc3882"] = .bool(config.sessions.allowsLoginTokens)
    // Rooms that start encrypted.
    for (name, preset) in [
      "public": "public_chat", "private": "private_chat", "trusted_private": "trusted_private_chat",
    ] as [Text: Text] {
      features["io.element.e2ee_forced.\(name)"] = .bool(config.rooms.encryptedPresets.contains(preset))
    }
    return .object(features)
  }
}
