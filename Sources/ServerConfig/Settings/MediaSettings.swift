import ByteText

/// The folder of media, and whether this process serves it.
public struct MediaSettings: Sendable, Hashable {
  /// Whether this process serves media.
  public var isEnabled: Bool
  /// The folder of uploaded files and thumbnails.
  public var storePath: Text

  init(_ root: SettingsSection, workerApp: Text?) throws(ConfigError) {
    let enabled = try root.bool("enable_media_repo", true)
    isEnabled = enabled || workerApp == "synapse.app.media_repository"
    storePath = try root.string("media_store_path") ?? "media_store"
  }
}
