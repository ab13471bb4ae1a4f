import ByteText
import YAML

/// What is said of settings without effect, which ``AbsentCapability`` lists.
///
/// A setting that a reader asks for needs no entry there, unless nothing is done with it.
enum KnownKeys {
  private static let withoutEffect = AbsentCapability.all.reduce(into: Set<Text>()) { $0.formUnion($1.settings) }

  private static let guards = AbsentCapability.all.flatMap(\.guards)

  /// The switches of `experimental_features` that are followed; any other that is on has no effect.
  private static let followedExperiments: Set<Text> = [
    "msc2654_enabled", "msc3720_enabled", "msc3866", "msc3881_enabled", "msc4069_profile_inhibit_propagation",
    "msc4108_delegation_endpoint", "msc4108_enabled", "msc4133_enabled", "msc4140_max_delayed_events_per_user",
    "msc4143_enabled", "msc4155_enabled",
    "msc4277_enabled", "msc4388_mode",
  ]

  /// A key as it is written.
  private struct Entry {
    /// Its path, as in `listeners[0].port`.
    let name: Text
    /// The path with `[]` and `<name>`.
    let pattern: Text
    let value: YAMLNode
    let mark: YAMLMark
  }

  /// The mappings whose keys the administrator chooses.
  private static let named: Set<Text> = ["databases", "instance_map"]

  /// Refuses settings without which something would be open to everybody.
  ///
  /// - Throws: `ConfigError` at the first of them, which names the others.
  static func refuse(_ root: SettingsSection) throws(ConfigError) {
    var found: [(entry: Entry, guard: AbsentCapability.Guard)] = []
    for entry in entries(root.mapping) {
      if let match = guards.first(where: { $0.name == entry.pattern }), match.holds(entry.value) {
        found.append((entry, match))
      }
    }
    guard let first = found.first else { return }
    let others = found.dropFirst().map(\.entry.name)
    throw ConfigError(
      first.entry.name, at: first.entry.mark,
      "this setting of Synapse is not supported, and without it \(first.guard.consequence); expected its absence, "
        + "or --accept-unsupported on the command line"
        + (others.isEmpty ? "" : " (the same goes for \(others.joined(separator: ", ")))"))
  }

  /// Makes one line for every setting without effect and for every key that is unknown to Synapse, too.
  static func warnings(_ root: SettingsSection) -> [Text] {
    let unread = root.unread()
    let unreadNames = Set(unread.map(\.name))
    var seen: Set<Text> = []
    var lines: [Text] = []
    func add(_ name: Text, _ mark: YAMLMark, _ text: Text) {
      if seen.insert(name).inserted { lines.append("\(mark): \(name): \(text)") }
    }
    for entry in entries(root.mapping) {
      if withoutEffect.contains(entry.pattern) || isIgnoredExperiment(entry) {
        let text = "this setting of Synapse is not supported and has no effect"
        if saysWhatHappens(entry) { seen.insert(entry.name) } else { add(entry.name, entry.mark, text) }
      } else if unreadNames.contains(entry.name), !entry.name.utf8.contains(UInt8(ascii: ".")) {
        add(entry.name, entry.mark, "unknown setting, ignored")
      }
    }
    for entry in unread { add(entry.name, entry.mark, "unknown setting, ignored") }
    return lines
  }

  private static func isIgnoredExperiment(_ entry: Entry) -> Bool {
    let prefix = "experimental_features."
    guard entry.name.hasPrefix(prefix) else { return false }
    let path = entry.name.dropFirst(prefix.utf8.count)
    return !followedExperiments.contains { $0 == path || path.hasPrefix("\($0).") }
  }

  /// Returns whether a value asks for nothing but what happens anyway, so that there is nothing to say about it.
  private static func saysWhatHappens(_ entry: Entry) -> Bool {
    switch entry.value.content {
    case .null: true
    case .bool(false): entry.pattern == "report_stats" || entry.name.hasPrefix("experimental_features.")
    case .integer(0): entry.pattern.hasSuffix(".txn_limit")
    case .mapping: isIgnoredExperiment(entry)  // What it contains is looked at by itself.
    default: false
    }
  }

  /// Lists all keys, those of nested mappings after the one that contains them.
  private static func entries(_ mapping: YAMLMapping, name: Text = "", pattern: Text = "") -> [Entry] {
    var result: [Entry] = []
    for (key, value) in mapping {
      let text = key.text ?? key.summary
      let entry = Entry(
        name: name.isEmpty ? text : "\(name).\(text)",
        pattern: pattern.isEmpty ? text : "\(pattern).\(named.contains(pattern) ? "<name>" : text)", value: value,
        mark: key.mark)
      result.append(entry)
      result += nested(value, name: entry.name, pattern: entry.pattern)
    }
    return result
  }

  private static func nested(_ value: YAMLNode, name: Text, pattern: Text) -> [Entry] {
    if let mapping = value.mapping { return entries(mapping, name: name, pattern: pattern) }
    return (value.elements ?? []).enumerated().flatMap { index, element in
      nested(element, name: "\(name)[\(index)]", pattern: "\(pattern)[]")
    }
  }
}
