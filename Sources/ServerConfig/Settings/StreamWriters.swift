import ByteText

/// Says which instances write which stream.
///
/// Look a stream up by its configuration name or its wire name: `backfill`, `sticky_events` and `profile_updates` are
/// written with `events`, `presence_federation` with `presence`, `tag_account_data` is `account_data`. Streams that
/// only the main process writes give `["master"]`.
public struct StreamWriters: Sendable, Hashable {
  /// Lists the names that `stream_writers` can have; true for those that may have several writers.
  public static let configurable: [Text: Bool] = [
    "events": true, "typing": false, "to_device": false, "account_data": false, "receipts": true, "presence": false,
    "push_rules": false, "device_lists": true, "thread_subscriptions": true, "quarantined_media_changes": true,
  ]

  private static let writtenWith = [
    "backfill": "events", "sticky_events": "events", "profile_updates": "events", "presence_federation": "presence",
    "tag_account_data": "account_data",
  ]

  private var writers: [Text: [Text]]

  /// Makes an assignment by hand; streams that are not named belong to the main process.
  public init(_ writers: [Text: [Text]] = [:]) { self.writers = writers }

  /// Returns the instances that write a stream, in the order of the configuration (which decides the sharding).
  public subscript(_ stream: Text) -> [Text] {
    writers[Self.writtenWith[stream] ?? stream] ?? [HomeserverConfig.mainInstanceName]
  }

  init(_ root: SettingsSection, instanceMap: [Text: InstanceLocation]) throws(ConfigError) {
    let section = try root.section("stream_writers")
    writers = [:]
    for (stream, allowsSeveral) in Self.configurable.sorted(by: { $0.key < $1.key }) {
      guard let names = try section.stringOrStrings(stream) else { continue }
      guard !names.isEmpty else { throw section.fail(stream, "found an empty list, expected at least one instance") }
      guard allowsSeveral || names.count == 1 else {
        throw section.fail(stream, "found \(names.count) instances, expected one: this stream has a single writer")
      }
      for name in names where name != HomeserverConfig.mainInstanceName && instanceMap[name] == nil {
        throw section.fail(stream, "found \"\(name)\", expected an instance that is in instance_map")
      }
      writers[stream] = names
    }
    if let unknown = section.unread().first {
      throw ConfigError(
        unknown.name, at: unknown.mark,
        "found an unknown stream, expected one of " + Self.configurable.keys.sorted().joined(separator: ", "))
    }
  }
}
