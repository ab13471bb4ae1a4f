import MatrixPrimitives

/// The switches of `experimental_features`.
public struct ExperimentalSettings: Sendable, Hashable {
  /// The section as written; always an object.
  public var raw: JSON
  /// Who may open a channel by which a new device is logged in (MSC4388).
  public var channels: Channels
  /// The server to which clients are sent that open such a channel of the older kind (MSC4108).
  public var channelDelegation: Text?

  /// Who may open a channel.
  public enum Channels: Text, Sendable {
    case off, open, authenticated
  }

  init(_ root: SettingsSection) throws(ConfigError) {
    _ = try root.entries("experimental_features")
    raw = root.json("experimental_features") ?? .object([:])
    channelDelegation = raw["msc4108_delegation_endpoint"]?.string
    switch raw["msc4388_mode"] {
    case nil, .null?, .bool(false)?: channels = .off  // YAML reads a bare `off` as false
    case .string(let mode)? where Channels(rawValue: mode) != nil: channels = Channels(rawValue: mode) ?? .off
    default:
      throw root.fail("experimental_features", "msc4388_mode: expected 'off', 'open' or 'authenticated'")
    }
    if channelDelegation != nil, hasOldChannels {
      throw root.fail(
        "experimental_features", "expected one of msc4108_enabled and msc4108_delegation_endpoint, found both")
    }
  }

  /// Returns whether a feature such as `msc3026_enabled` is switched on; `standard` when nothing is said.
  public func isEnabled(_ feature: Text, standard: Bool = false) -> Bool { raw[feature]?.bool ?? standard }

  /// Whether new accounts wait for an administrator's approval (MSC3866).
  public var requiresApproval: Bool {
    raw["msc3866"]?["enabled"]?.bool == true && raw["msc3866"]?["require_approval_for_new_accounts"]?.bool == true
  }

  /// Whether channels of the older kind are there (MSC4108).
  public var hasOldChannels: Bool { isEnabled("msc4108_enabled") }

  /// Whether clients learn where conferences of calls are (MSC4143).
  public var hasCallTransports: Bool { isEnabled("msc4143_enabled") }
}
