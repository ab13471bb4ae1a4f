import MatrixPrimitives

/// The switches of `experimental_features`.
public struct ExperimentalSettings: Sendable, Hashable {
  /// The section as written; always an object.
  public var raw: JSON

  init(_ root: SettingsSection) throws(ConfigError) {
    _ = try root.entries("experimental_features")
    raw = root.json("experimental_features") ?? .object([:])
  }

  /// Returns whether a feature such as `msc3026_enabled` is switched on; `standard` when nothing is said.
  public func isEnabled(_ feature: Text, standard: Bool = false) -> Bool { raw[feature]?.bool ?? standard }

  /// Whether new accounts wait for an administrator's approval (MSC3866).
  public var requiresApproval: Bool {
    raw["msc3866"]?["enabled"]?.bool == true && raw["msc3866"]?["require_approval_for_new_accounts"]?.bool == true
  }
}
