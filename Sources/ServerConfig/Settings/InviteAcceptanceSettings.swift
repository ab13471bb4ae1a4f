import ByteText

/// The acceptance of invitations in the name of those invited (`auto_accept_invites`).
public struct InviteAcceptanceSettings: Sendable, Hashable {
  /// Whether invitations are accepted at all.
  public var isEnabled: Bool
  /// Whether only invitations to talks with one user are.
  public var onlyDirect: Bool
  /// Whether only invitations by users of this server are.
  public var onlyFromLocalUsers: Bool
  /// The process that accepts them; nil for the main process.
  public var workerName: Text?

  init(_ root: SettingsSection) throws(ConfigError) {
    let section = try root.section("auto_accept_invites")
    isEnabled = try section.bool("enabled", false)
    onlyDirect = try section.bool("only_for_direct_messages", false)
    onlyFromLocalUsers = try section.bool("only_from_local_users", false)
    workerName = try section.string("worker_to_run_on")
  }
}
