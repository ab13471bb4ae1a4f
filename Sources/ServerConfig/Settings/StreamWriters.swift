import MatrixPrimitives

/// The instances that write each stream.
///
/// `backfill`, `sticky_events` and `profile_updates` are written with `events`, `presence_federation` with `presence`.
/// Streams that only the main process writes give `["master"]`.
struct StreamWriters: Sendable, Hashable {
  /// A stream that `stream_writers` may assign.
  private struct Configurable {
    let stream: StreamName
    let allowsSeveral: Bool
    /// The key in `stream_writers`.
    let key: Text

    init(_ stream: StreamName, allowsSeveral: Bool = false, key: Text? = nil) {
      self.stream = stream
      self.allowsSeveral = allowsSeveral
      self.key = key ?? stream.rawValue
    }
  }

  private static let configurable = [
    Configurable(.accountData), Configurable(.deviceLists, allowsSeveral: true),
    Configurable(.events, allowsSeveral: true), Configurable(.presence), Configurable(.pushRules),
    Configurable(.quarantinedMedia, allowsSeveral: true, key: "quarantined_media_changes"),
    Configurable(.receipts, allowsSeveral: true), Configurable(.threadSubscriptions, allowsSeveral: true),
    Configurable(.toDevice), Configurable(.typing),
  ]

  private static let writtenWith: [StreamName: StreamName] = [
    .backfill: .events, .stickyEvents: .events, .profileUpdates: .events, .presenceFederation: .presence,
  ]

  private var writers: [StreamName: [Text]] = [:]

  /// Returns the instances that write a stream, in the order of the configuration (which decides the sharding).
  subscript(_ stream: StreamName) -> [Text] {
    writers[Self.writtenWith[stream] ?? stream] ?? [HomeserverConfig.mainInstanceName]
  }

  init(_ root: SettingsSection, instanceMap: [Text: InstanceLocation]) throws(ConfigError) {
    let section = try root.section("stream_writers")
    for entry in Self.configurable {
      guard let names = try section.stringOrStrings(entry.key) else { continue }
      guard !names.isEmpty else { throw section.fail(entry.key, "found an empty list, expected at least one instance") }
      guard entry.allowsSeveral || names.count == 1 else {
        throw section.fail(
          entry.key, "found \(names.count) instances, expected one: this stream has a single writer")
      }
      for name in names where name != HomeserverConfig.mainInstanceName && instanceMap[name] == nil {
        throw section.fail(entry.key, "found \"\(name)\", expected an instance that is in instance_map")
      }
      writers[entry.stream] = names
    }
    if let unknown = section.unread().first {
      throw ConfigError(
        unknown.name, at: unknown.mark,
        "found an unknown stream, expected one of " + Self.configurable.map(\.key).joined(separator: ", "))
    }
  }
}
