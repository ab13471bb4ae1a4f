import MatrixPrimitives
import YAML

/// The typed values of one mapping of the configuration, with a record of which keys have been asked for.
///
/// A key that is absent and a key whose value is null mean the same: not set.
final class SettingsSection {
  /// The section's path with dots, empty for the top level.
  let path: Text
  let mapping: YAMLMapping
  private let mark: YAMLMark?
  private var asked: Set<Text> = []
  private var children: [SettingsSection] = []

  init(path: Text, mapping: YAMLMapping, mark: YAMLMark?) {
    self.path = path
    self.mapping = mapping
    self.mark = mark
  }

  func name(_ key: Text) -> Text { path.isEmpty ? key : "\(path).\(key)" }

  func node(_ key: Text) -> YAMLNode? {
    asked.insert(key)
    guard let node = mapping[key], !node.isNull else { return nil }
    return node
  }

  func has(_ key: Text) -> Bool { node(key) != nil }

  /// Returns whether a key is written with the value null, for the few settings that take it as a value of its own.
  func isNull(_ key: Text) -> Bool {
    asked.insert(key)
    return mapping[key]?.isNull ?? false
  }

  /// Marks keys as known although nothing here depends on their value.
  func accept(_ keys: Text...) { asked.formUnion(keys) }

  func fail(_ key: Text, _ problem: Text) -> ConfigError {
    ConfigError(name(key), at: mapping[key]?.mark ?? mark, problem)
  }

  func fail(_ key: Text, _ node: YAMLNode, expected: Text) -> ConfigError {
    ConfigError(name(key), at: node.mark, found: node.summary, expected: expected)
  }

  func bool(_ key: Text, _ standard: Bool) throws(ConfigError) -> Bool { try bool(key) ?? standard }

  func bool(_ key: Text) throws(ConfigError) -> Bool? {
    guard let node = node(key) else { return nil }
    if let value = node.bool { return value }
    switch node.integer {
    case 0: return false
    case 1: return true
    default: throw fail(key, node, expected: "true or false")
    }
  }

  /// Reads one of the few booleans that Synapse also takes as quoted words.
  func looseBool(_ key: Text, _ standard: Bool) throws(ConfigError) -> Bool {
    switch node(key)?.string?.asciiLowercased {
    case nil: return try bool(key, standard)
    case "y", "yes", "t", "true", "on", "1": return true
    case "n", "no", "f", "false", "off", "0": return false
    default: throw fail(key, try required(key), expected: "true or false")
    }
  }

  func string(_ key: Text) throws(ConfigError) -> Text? {
    guard let node = node(key) else { return nil }
    guard let value = node.string else { throw fail(key, node, expected: "text") }
    return value
  }

  /// Reads a scalar as it is written, for values that look like numbers but are names (room version 10, a numeric
  /// password).
  func text(_ key: Text) throws(ConfigError) -> Text? {
    guard let node = node(key) else { return nil }
    guard let value = node.text else { throw fail(key, node, expected: "text") }
    return value
  }

  func choice(_ key: Text, _ allowed: [Text], _ standard: Text) throws(ConfigError) -> Text {
    guard let node = node(key) else { return standard }
    guard let value = node.string, allowed.contains(value) else {
      throw fail(key, node, expected: "one of " + allowed.joined(separator: ", "))
    }
    return value
  }

  func integer(_ key: Text, _ standard: Int, in range: ClosedRange<Int> = 0...Int.max) throws(ConfigError) -> Int {
    guard let node = node(key) else { return standard }
    let top =
      range.upperBound == Int.max
      ? " of at least \(range.lowerBound)" : " from \(range.lowerBound) to \(range.upperBound)"
    guard let value = node.integer, let number = Int(exactly: value), range.contains(number) else {
      throw fail(key, node, expected: "a whole number" + top)
    }
    return number
  }

  func number(_ key: Text, _ standard: Double) throws(ConfigError) -> Double {
    guard let node = node(key) else { return standard }
    guard let value = node.double, value.isFinite, value >= 0 else {
      throw fail(key, node, expected: "a number of at least 0")
    }
    return value
  }

  func milliseconds(_ key: Text) throws(ConfigError) -> Int64? {
    guard let node = node(key) else { return nil }
    guard let value = node.integer ?? node.string.flatMap(Quantity.milliseconds) else {
      throw fail(key, node, expected: "a duration such as 30s, 5m, 1h, 7d, 2w, 1y or a number of milliseconds")
    }
    return value
  }

  func milliseconds(_ key: Text, _ standard: Int64) throws(ConfigError) -> Int64 { try milliseconds(key) ?? standard }

  func bytes(_ key: Text) throws(ConfigError) -> Int64? {
    guard let node = node(key) else { return nil }
    guard let value = node.integer ?? node.string.flatMap(Quantity.bytes), value >= 0 else {
      throw fail(key, node, expected: "a size such as 10K, 50M, 1G or a number of bytes")
    }
    return value
  }

  func bytes(_ key: Text, _ standard: Int64) throws(ConfigError) -> Int64 { try bytes(key) ?? standard }

  /// Reads a list of texts; not set is an empty list.
  func strings(_ key: Text) throws(ConfigError) -> [Text] {
    var result: [Text] = []
    for (index, node) in try list(key).enumerated() {
      guard let value = node.string else { throw fail("\(key)[\(index)]", node, expected: "text") }
      result.append(value)
    }
    return result
  }

  /// Reads a text or a list of texts; nil when not set.
  func stringOrStrings(_ key: Text) throws(ConfigError) -> [Text]? {
    guard let node = node(key) else { return nil }
    if let value = node.string { return [value] }
    guard node.elements != nil else { throw fail(key, node, expected: "text or a list of texts") }
    return try strings(key)
  }

  func list(_ key: Text) throws(ConfigError) -> [YAMLNode] {
    guard let node = node(key) else { return [] }
    guard let elements = node.elements else { throw fail(key, node, expected: "a list") }
    return elements
  }

  /// Opens a nested mapping; not set gives an empty one.
  func section(_ key: Text) throws(ConfigError) -> SettingsSection {
    guard let node = node(key) else {
      return SettingsSection(path: name(key), mapping: YAMLMapping(), mark: mark)
    }
    return try open(node, key)
  }

  /// Opens every mapping of a list.
  func sections(_ key: Text) throws(ConfigError) -> [SettingsSection] {
    var result: [SettingsSection] = []
    for (index, node) in try list(key).enumerated() {
      result.append(try open(node, "\(key)[\(index)]"))
    }
    return result
  }

  /// Opens every value of a mapping whose keys are names chosen by the administrator.
  func namedSections(_ key: Text) throws(ConfigError) -> [(name: Text, section: SettingsSection)] {
    var result: [(name: Text, section: SettingsSection)] = []
    for (name, value) in try entries(key) {
      result.append((name, try open(value, "\(key).\(name)")))
    }
    return result
  }

  /// Lists the entries of a mapping whose keys are names chosen by the administrator.
  func entries(_ key: Text) throws(ConfigError) -> [(name: Text, value: YAMLNode)] {
    guard let node = node(key) else { return [] }
    guard let mapping = node.mapping else { throw fail(key, node, expected: "a mapping") }
    return mapping.map { ($0.key.text ?? "", $0.value) }
  }

  /// Reads a value of any shape.
  func json(_ key: Text) -> JSON? { node(key).map { JSON($0) } }

  /// Reads a secret given in the file or by the path of a file that holds it; both at once is an error.
  func secret(_ key: Text, path pathKey: Text) throws(ConfigError) -> Text? {
    let inline = try text(key).flatMap { $0.isEmpty ? nil : $0 }
    guard let file = try string(pathKey), !file.isEmpty else { return inline }
    guard inline == nil else { throw fail(pathKey, "\(name(key)) is set as well, expected only one of the two") }
    let bytes = try FileText.read(file, key: name(pathKey), at: node(pathKey)?.mark)
    return Text(decoding: bytes, as: UTF8.self).trimmed
  }

  /// Lists the keys that were not asked for, here and in every nested mapping that was opened.
  func unread() -> [(name: Text, mark: YAMLMark)] {
    let own = mapping.filter { !asked.contains($0.key.string ?? "") || $0.key.string == nil }
    return own.map { (name($0.key.text ?? $0.key.summary), $0.key.mark) } + children.flatMap { $0.unread() }
  }

  private func open(_ node: YAMLNode, _ key: Text) throws(ConfigError) -> SettingsSection {
    guard let mapping = node.mapping else { throw fail(key, node, expected: "a mapping") }
    let child = SettingsSection(path: name(key), mapping: mapping, mark: node.mark)
    children.append(child)
    return child
  }

  private func required(_ key: Text) throws(ConfigError) -> YAMLNode {
    guard let node = node(key) else { throw fail(key, "is missing") }
    return node
  }
}
